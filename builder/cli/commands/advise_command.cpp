#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/count_of.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/advised_images.hpp"
#include "builder/cli/commands/advised_lines.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/report/report_words.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

constexpr std::size_t kShownImages = 4;
constexpr std::size_t kShownChanges = 8;
constexpr std::size_t kShownInstructionBytes = 90;

struct AdviseWords {
  std::vector<std::string> images;
  std::optional<std::string> progress;
  bool quiet = false;
  bool json = false;
};

// What was looked at, and what was found.
struct Advised {
  std::vector<std::string> images;
  std::uint64_t registry_bytes = 0;  // compressed, each blob once
  std::size_t builds = 0;            // in the recorded history
  std::vector<Advice> advice;
};

// The newest builds that words name, and of what they are built on.
std::vector<NewestBuild> select_builds(const std::vector<NewestBuild>& newest, const std::vector<std::string>& words) {
  if (words.empty()) return newest;
  std::set<std::string> wanted;
  for (const std::string& word : words) {
    bool any = false;
    std::vector<std::string> known;
    for (const NewestBuild& build : newest) {
      const std::vector<const BuildRecordTarget*> found = build.record->find(word);
      known.push_back(title_of(*build.target));
      if (std::find(found.begin(), found.end(), build.target) == found.end()) continue;
      any = true;
      wanted.insert(title_of(*build.target));
      for (const BuildRecordTarget* base : build.record->bases_of(found)) wanted.insert(title_of(*base));
    }
    if (!any)
      throw Error(Category::usage,
                  fmt::format("no recorded build built '{}'{}", printable(word), near_hint(word, known)));
  }
  std::vector<NewestBuild> selected;
  std::copy_if(newest.begin(), newest.end(), std::back_inserter(selected),
               [&](const NewestBuild& build) { return wanted.contains(title_of(*build.target)); });
  return selected;
}

std::uint64_t bytes_of_blobs(const std::vector<AdvisedImage>& images) {
  std::set<oci::Digest> counted;
  std::uint64_t bytes = 0;
  for (const AdvisedImage& image : images) {
    for (const PackageLayer& layer : image.packages.layers) {
      if (counted.insert(layer.blob.digest).second) bytes += layer.blob.size;
    }
  }
  return bytes;
}

Advised advise(const AdviseWords& words, const CancelToken& cancel) {
  RegistrySession session(words.progress, words.quiet, cancel);
  StderrLog log;
  const std::vector<BuildRecord> records =
      builds_of_here(BuildRecordStore(HomeLayout::open(HomeLayout::default_root()).builds()));
  if (records.empty()) throw Error(Category::usage, "there is no record of any build here yet; build something first");
  const std::vector<NewestBuild> builds = select_builds(newest_builds(records), words.images);
  const std::vector<AdvisedImage> images = look_into_builds(session, builds, cancel, log);
  const std::vector<Advice> of_order = look_into_history(session, records, builds, images);
  session.end_progress();
  Advised result;
  for (const AdvisedImage& image : images)
    result.images.insert(result.images.end(), image.names.begin(), image.names.end());
  std::sort(result.images.begin(), result.images.end());
  result.registry_bytes = bytes_of_blobs(images);
  result.builds = records.size();
  result.advice = package_advice(images);
  result.advice.insert(result.advice.end(), of_order.begin(), of_order.end());
  sort_advice(result.advice);
  point_at_lines(result.advice, records.back());
  return result;
}

json to_json(const Advised& advised) {
  json list = json::array();
  for (const Advice& advice : advised.advice) {
    json changes = json::array();
    for (const AdvisedChange& change : advice.changes) {
      json item = {
          {"file", change.at.file}, {"line", change.at.line}, {"text", change.at.text}, {"action", change.action}};
      if (!change.from.empty()) item["from"] = change.from;
      if (!change.to.empty()) item["to"] = change.to;
      if (!change.package.empty()) item["package"] = change.package;
      changes.push_back(std::move(item));
    }
    list.push_back({{"kind", to_string(advice.kind)},
                    {"packages", advice.packages},
                    {"title", advice.title},
                    {"changes", changes},
                    {"needs_cut", advice.needs_cut},
                    {"is_share", advice.is_share},
                    {"image_bytes", advice.image_bytes},
                    {"fleet_bytes", advice.fleet_bytes},
                    {"update_bytes", advice.update_bytes}});
  }
  return {{"schema_version", 1},
          {"images", advised.images},
          {"builds", advised.builds},
          {"registry_bytes", advised.registry_bytes},
          {"advice", list}};
}

// "9.0 MB", or "-1.2 kB" for what is a cost.
std::string shown_bytes(std::int64_t bytes) {
  return bytes < 0 ? "-" + human_bytes(static_cast<std::uint64_t>(-bytes))
                   : human_bytes(static_cast<std::uint64_t>(bytes));
}

void print_advice(std::size_t number, const Advice& advice) {
  print_text(fmt::format("\n{}. {}\n", number, printable(advice.title)));
  std::vector<std::string> images;
  std::vector<std::pair<std::string, std::int64_t>> by_size(advice.image_bytes.begin(), advice.image_bytes.end());
  std::stable_sort(by_size.begin(), by_size.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [name, bytes] : by_size) {
    images.push_back(fmt::format("{} {}", printable(name), shown_bytes(bytes)));
    if (images.size() == kShownImages && by_size.size() > kShownImages) {
      images.push_back(fmt::format("{} more images", by_size.size() - kShownImages));
      break;
    }
  }
  print_text(fmt::format("   saves: fleet {}, update {}{}{}\n", shown_bytes(advice.fleet_bytes),
                         shown_bytes(advice.update_bytes), images.empty() ? "" : "; images: ", join(images, ", ")));
  for (std::size_t i = 0; i < std::min(kShownChanges, advice.changes.size()); ++i) {
    const AdvisedChange& change = advice.changes[i];
    print_text(fmt::format("   {}: {}\n", shown_place(change.at.file, change.at.line), printable(change.action)));
    print_text(fmt::format("       {}\n", shortened(shown_instruction(change.at.text), kShownInstructionBytes)));
  }
  if (advice.changes.size() > kShownChanges)
    print_text(fmt::format("   and {} more lines (--json lists all)\n", advice.changes.size() - kShownChanges));
  if (advice.needs_cut)
    print_text("   and \"layers\": {\"by\": \"package\"} for these images, so that equal packages are equal layers\n");
}

void print(const Advised& advised) {
  print_text(fmt::format(
      "{}, {} at the registry, {} recorded: {}\n", count_of(advised.images.size(), "image"),
      human_bytes(advised.registry_bytes), count_of(advised.builds, "build"),
      advised.advice.empty() ? "nothing to advise" : count_of(advised.advice.size(), "change") + " would save bytes"));
  if (advised.advice.empty()) return;
  using Align = TextTable::Align;
  TextTable table({Align::right, Align::right, Align::right, Align::left, Align::left}, 4);
  table.add({{""},
             {"FLEET", TextStyle::bold},
             {"UPDATE", TextStyle::bold},
             {"WHAT", TextStyle::bold},
             {"WHERE", TextStyle::bold}});
  for (std::size_t i = 0; i < advised.advice.size(); ++i) {
    const Advice& advice = advised.advice[i];
    const std::string what = fmt::format("{} {}", to_string(advice.kind), some_of(advice.packages));
    std::string where =
        advice.changes.empty() ? "" : shown_place(advice.changes.front().at.file, advice.changes.front().at.line);
    if (advice.changes.size() > 1) where += fmt::format(" and {} more", advice.changes.size() - 1);
    const std::string share = advice.is_share ? "~" : "";
    table.add({{std::to_string(i + 1)},
               {share + shown_bytes(advice.fleet_bytes), TextStyle::good},
               {share + shown_bytes(advice.update_bytes)},
               {printable(what), TextStyle::bold},
               {where}});
  }
  print_table(table);
  for (std::size_t i = 0; i < advised.advice.size(); ++i) print_advice(i + 1, advised.advice[i]);
}

int run_advise(const AdviseWords& words, const CancelToken& cancel) {
  const Advised advised = advise(words, cancel);
  if (words.json) {
    print_json(to_json(advised));
  } else {
    print(advised);
  }
  return 0;
}

}  // namespace

void add_advise_command(Arguments& root) {
  const auto words = std::make_shared<AdviseWords>();
  root.command("advise", "Say which lines to change so that images share more and updates move less.")
      .positional("IMAGE", words->images, "targets, images or their names (default: all that were built here)")
      .flag("--json", words->json, "as JSON")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .flag("-q,--quiet", words->quiet, "show no progress")
      .handler([words](const CancelToken& cancel) { return run_advise(*words, cancel); });
}

}  // namespace kiln::cli
