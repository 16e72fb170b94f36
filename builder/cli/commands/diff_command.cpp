#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/found_image.hpp"
#include "builder/cli/image_diff.hpp"
#include "builder/cli/registry_session.hpp"
#include "builder/layer/index_layer.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct DiffWords {
  std::string before;
  std::string after;
  std::string platform;
  std::optional<std::string> progress;
  bool local = false;
  bool quiet = false;
  bool json = false;
};

struct Side {
  std::string name;
  oci::Descriptor manifest;
  oci::Manifest parsed;
  std::vector<oci::Digest> diff_ids;
  nlohmann::json config;
  MergedView files;
};

// The documents of one image, its layers in the store.
Side open_side(RegistrySession& session, ThreadPool& pool, const std::string& word, const DiffWords& words,
               const CancelToken& cancel) {
  Side side;
  ContentStore& store = session.store();
  if (words.local) {
    const FoundImage image = find_image({word, words.platform, true}, cancel);
    side.name = image.name;
    side.manifest = image.manifest;
    side.parsed = image.parsed;
  } else {
    const oci::Reference reference = oci::Reference::parse(word);
    const oci::Platform platform =
        words.platform.empty() ? oci::Platform::host() : oci::Platform::parse(words.platform);
    const PulledImage image =
        pull_image(session.remote(), store, reference, platform, PullWhat::layers, &session.transfers());
    side.name = reference.str();
    side.manifest = image.manifest;
    side.parsed = image.parsed;
  }
  const std::string text = store.read(side.parsed.config.digest);
  const std::string where = fmt::format("config of '{}'", side.name);
  side.diff_ids = oci::parse_image_config(text, where).diff_ids;
  side.config = parse_json(text, where, Category::network);
  if (side.diff_ids.size() != side.parsed.layers.size()) {
    throw Error(Category::network, fmt::format("image '{}': its manifest has {} layers and its config {}", side.name,
                                               side.parsed.layers.size(), side.diff_ids.size()));
  }
  IndexCache indexes(store);
  std::vector<std::shared_ptr<const FileIndex>> layers;
  for (std::size_t i = 0; i < side.diff_ids.size(); ++i) {
    layers.push_back(indexes.load(index_layer(store, pool, side.parsed.layers[i], side.diff_ids[i], cancel).index));
  }
  side.files = MergedView(std::move(layers));
  return side;
}

json config_differences(const Side& a, const Side& b) {
  const auto settings = [](const Side& side) {
    json flat = json::object();
    for (const char* field : {"architecture", "os", "variant"}) {
      if (side.config.contains(field)) flat[field] = side.config[field];
    }
    const json config = side.config.value("config", json::object());
    for (const auto& [key, value] : config.items()) {
      // Maps (Labels, ExposedPorts, Volumes) by their members; lists as they are.
      if (!value.is_object() || value.empty()) {
        flat[key] = value;
        continue;
      }
      for (const auto& [member, text] : value.items()) flat[key + "." + member] = text;
    }
    return flat;
  };
  const json before = settings(a);
  const json after = settings(b);
  json list = json::array();
  for (const auto& [key, value] : before.items()) {
    const json other = after.value(key, json());
    if (value != other) list.push_back({{"field", key}, {"a", value}, {"b", other}});
  }
  for (const auto& [key, value] : after.items()) {
    if (!before.contains(key)) list.push_back({{"field", key}, {"a", nullptr}, {"b", value}});
  }
  return list;
}

// The layers of `side` that are in both (or that the other has not).
json layers_of(const Side& side, const Side& other, bool in_both) {
  json list = json::array();
  for (std::size_t i = 0; i < side.diff_ids.size(); ++i) {
    const bool found =
        std::find(other.diff_ids.begin(), other.diff_ids.end(), side.diff_ids[i]) != other.diff_ids.end();
    if (found != in_both) continue;
    list.push_back({{"diff_id", side.diff_ids[i].str()},
                    {"digest", side.parsed.layers[i].digest.str()},
                    {"bytes", side.parsed.layers[i].size}});
  }
  return list;
}

json files_json(const std::vector<FileDifference>& files) {
  json added = json::array(), removed = json::array(), changed = json::array();
  for (const FileDifference& file : files) {
    if (file.kind == FileDifference::Kind::added) added.push_back({{"path", file.path}, {"bytes", file.after_bytes}});
    if (file.kind == FileDifference::Kind::removed)
      removed.push_back({{"path", file.path}, {"bytes", file.before_bytes}});
    if (file.kind != FileDifference::Kind::changed) continue;
    changed.push_back(
        {{"path", file.path}, {"a_bytes", file.before_bytes}, {"b_bytes", file.after_bytes}, {"what", file.what}});
  }
  return {{"added", added}, {"removed", removed}, {"changed", changed}};
}

std::uint64_t bytes_of(const json& list) {
  std::uint64_t bytes = 0;
  for (const json& item : list) bytes += item.at("bytes").get<std::uint64_t>();
  return bytes;
}

std::string shown(const json& value) {
  return printable(value.is_null() ? "-" : value.dump(-1, ' ', false, json::error_handler_t::replace));
}

void print_diff(const json& diff, const std::vector<FileDifference>& files) {
  fmt::print("--- {}@{}\n+++ {}@{}\n", diff["a"]["name"].get<std::string>(), diff["a"]["digest"].get<std::string>(),
             diff["b"]["name"].get<std::string>(), diff["b"]["digest"].get<std::string>());
  for (const json& field : diff["config"])
    fmt::print("config {}: {} -> {}\n", printable(field["field"].get<std::string>()), shown(field["a"]),
               shown(field["b"]));
  const json& layers = diff["layers"];
  for (const auto& [key, sign] : {std::pair("shared", '='), std::pair("only_a", '-'), std::pair("only_b", '+')}) {
    fmt::print("layers {} {}: {}, {}\n", sign, key, layers[key].size(), human_bytes(bytes_of(layers[key])));
  }
  for (const FileDifference& file : files) {
    switch (file.kind) {
      case FileDifference::Kind::added:
        fmt::print("+ /{} {}\n", printable(file.path), human_bytes(file.after_bytes));
        break;
      case FileDifference::Kind::removed:
        fmt::print("- /{} {}\n", printable(file.path), human_bytes(file.before_bytes));
        break;
      case FileDifference::Kind::changed:
        fmt::print("~ /{} {} -> {} ({})\n", printable(file.path), human_bytes(file.before_bytes),
                   human_bytes(file.after_bytes), join(file.what, ", "));
        break;
    }
  }
  if (diff["same"]) fmt::print("no difference\n");
}

int run_diff(const DiffWords& words, const CancelToken& cancel) {
  RegistrySession session(words.progress, words.quiet, cancel);
  ThreadPool pool;
  const Side a = open_side(session, pool, words.before, words, cancel);
  const Side b = open_side(session, pool, words.after, words, cancel);
  session.end_progress();
  const std::vector<FileDifference> files = differences(a.files, b.files);
  json diff = {
      {"a", {{"name", a.name}, {"digest", a.manifest.digest.str()}}},
      {"b", {{"name", b.name}, {"digest", b.manifest.digest.str()}}},
      {"config", config_differences(a, b)},
      {"layers",
       {{"shared", layers_of(a, b, true)}, {"only_a", layers_of(a, b, false)}, {"only_b", layers_of(b, a, false)}}},
      {"files", files_json(files)}};
  diff["same"] = diff["config"].empty() && files.empty();
  if (words.json) {
    fmt::print("{}\n", diff.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_diff(diff, files);
  }
  return 0;
}

}  // namespace

void add_diff_command(Arguments& root) {
  const auto words = std::make_shared<DiffWords>();
  root.command("diff", "Show what differs between two images: settings, layers and files.")
      .required_positional("A", words->before, "the image before")
      .required_positional("B", words->after, "the image after")
      .option("--platform", words->platform, "of this platform's images (default: this machine's)")
      .flag("--local", words->local, "images of the store")
      .option("--progress", words->progress, "auto, tty, plain, quiet or rawjson")
      .flag("-q,--quiet", words->quiet, "show no progress")
      .flag("--json", words->json, "as JSON")
      .handler([words](const CancelToken& cancel) { return run_diff(*words, cancel); });
}

}  // namespace kiln::cli
