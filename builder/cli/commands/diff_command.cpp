#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/opened_image.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/words/fleet_images.hpp"
#include "builder/layer/image_diff.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct DiffWords {
  std::string before;
  std::string after;
  OpenWords open;
  bool json = false;
};

struct Side {
  OpenedImage image;
  nlohmann::json config;
};

Side open_side(RegistrySession& session, ThreadPool& pool, const std::string& word, const OpenWords& words,
               const CancelToken& cancel) {
  Side side{open_image(session, pool, word, words, cancel), {}};
  side.config = oci::parse_config_document(session.store().read(side.image.parsed.config.digest),
                                           fmt::format("config of '{}'", side.image.name));
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
  const std::vector<oci::Digest>& diff_ids = side.image.config.diff_ids;
  const std::vector<oci::Digest>& others = other.image.config.diff_ids;
  json list = json::array();
  for (std::size_t i = 0; i < diff_ids.size(); ++i) {
    const bool found = std::find(others.begin(), others.end(), diff_ids[i]) != others.end();
    if (found != in_both) continue;
    list.push_back({{"diff_id", diff_ids[i].str()},
                    {"digest", side.image.parsed.layers[i].digest.str()},
                    {"bytes", side.image.parsed.layers[i].size}});
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

std::string shown(const json& value) { return printable(value.is_null() ? "-" : json_text(value)); }

void print_diff(const json& diff, const std::vector<FileDifference>& files) {
  print_text(fmt::format("--- {}@{}\n+++ {}@{}\n", diff["a"]["name"].get<std::string>(),
                         diff["a"]["digest"].get<std::string>(), diff["b"]["name"].get<std::string>(),
                         diff["b"]["digest"].get<std::string>()));
  for (const json& field : diff["config"])
    print_text(fmt::format("config {}: {} -> {}\n", printable(field["field"].get<std::string>()), shown(field["a"]),
                           shown(field["b"])));
  const json& layers = diff["layers"];
  for (const auto& [key, sign] : {std::pair("shared", '='), std::pair("only_a", '-'), std::pair("only_b", '+')}) {
    print_text(
        fmt::format("layers {} {}: {}, {}\n", sign, key, layers[key].size(), human_bytes(bytes_of(layers[key]))));
  }
  for (const FileDifference& file : files) {
    switch (file.kind) {
      case FileDifference::Kind::added:
        print_text(fmt::format("+ /{} {}\n", printable(file.path), human_bytes(file.after_bytes)));
        break;
      case FileDifference::Kind::removed:
        print_text(fmt::format("- /{} {}\n", printable(file.path), human_bytes(file.before_bytes)));
        break;
      case FileDifference::Kind::changed:
        print_text(fmt::format("~ /{} {} -> {} ({})\n", printable(file.path), human_bytes(file.before_bytes),
                               human_bytes(file.after_bytes), join(file.what, ", ")));
        break;
    }
  }
  if (diff["same"]) print_text("no difference\n");
}

// What is compared with what: an image of a fleet without its profile is each of its profiles, with the other side's of
// the same one.
std::vector<std::pair<std::string, std::string>> pairs_of(const DiffWords& words) {
  const std::vector<NamedByWord> before = images_of_word(words.before), after = images_of_word(words.after);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const NamedByWord& a : before) {
    for (const NamedByWord& b : after) {
      if (before.size() == 1 || after.size() == 1 || a.profile == b.profile)
        pairs.emplace_back(a.reference, b.reference);
    }
  }
  if (pairs.empty()) {
    throw Error(Category::usage, fmt::format("'{}' and '{}' have no profile in common", printable(words.before),
                                             printable(words.after)));
  }
  return pairs;
}

struct Difference {
  json document;
  std::vector<FileDifference> files;
};

Difference difference_of(const Side& a, const Side& b) {
  std::vector<FileDifference> files = differences(a.image.files, b.image.files);
  json diff = {
      {"a", {{"name", a.image.name}, {"digest", a.image.manifest.digest.str()}}},
      {"b", {{"name", b.image.name}, {"digest", b.image.manifest.digest.str()}}},
      {"config", config_differences(a, b)},
      {"layers",
       {{"shared", layers_of(a, b, true)}, {"only_a", layers_of(a, b, false)}, {"only_b", layers_of(b, a, false)}}},
      {"files", files_json(files)}};
  diff["same"] = diff["config"].empty() && files.empty();
  return {std::move(diff), std::move(files)};
}

int run_diff(const DiffWords& words, const CancelToken& cancel) {
  const auto pairs = pairs_of(words);
  RegistrySession session(words.open.progress, words.open.quiet, cancel);
  ThreadPool pool;
  std::vector<Difference> found;
  for (const auto& [before, after] : pairs) {
    const Side a = open_side(session, pool, before, words.open, cancel);
    const Side b = open_side(session, pool, after, words.open, cancel);
    found.push_back(difference_of(a, b));
  }
  session.end_progress();
  json documents = json::array();
  for (const Difference& difference : found) {
    if (!words.json) print_diff(difference.document, difference.files);
    documents.push_back(difference.document);
  }
  if (words.json) {
    const json& document = documents.size() == 1 ? documents.front() : documents;
    print_json(document);
  }
  return 0;
}

}  // namespace

void add_diff_command(Arguments& root) {
  const auto words = std::make_shared<DiffWords>();
  Arguments& diff =
      root.command("diff", "Show what differs between two images: settings, layers and files.")
          .required_positional("A", words->before, "the image before; one of the fleet here is each of its profiles")
          .required_positional("B", words->after, "the image after")
          .flag("--json", words->json, "as JSON")
          .handler([words](const CancelToken& cancel) { return run_diff(*words, cancel); });
  add_open_words(diff, words->open);
}

}  // namespace kiln::cli
