#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/recorded_builds.hpp"
#include "builder/report/miss_advice.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

struct WhyWords {
  std::string image;
  std::string build;
  bool json = false;
};

struct FoundBuild {
  BuildRecord record;
  std::vector<const BuildRecordTarget*> targets;  // of the record
  std::vector<const BuildRecordTarget*> bases;    // that they are built from
};

std::string find_build_id(const std::vector<std::string>& ids, const std::string& word) {
  std::vector<std::string> fitting;
  for (const std::string& id : ids) {
    if (id.starts_with(word)) fitting.push_back(id);
  }
  if (fitting.size() == 1) return fitting[0];
  if (fitting.empty()) {
    const auto near = nearest(word, ids);
    throw Error(Category::usage, fmt::format("there is no record of a build '{}'{}", printable(word),
                                             near ? fmt::format("; the nearest is '{}'", *near) : ""));
  }
  throw Error(Category::usage, fmt::format("'{}' begins the IDs of {} builds, the first is '{}'", printable(word),
                                           fitting.size(), fitting[0]));
}

// The newest build of the fleet here that built what `words` name; any fleet's where its ID is given, or where none
// here is known to have built it.
std::unique_ptr<FoundBuild> find_build(const BuildRecordStore& store, const WhyWords& words) {
  std::vector<std::string> ids = store.ids();
  if (ids.empty()) throw Error(Category::usage, "there is no record of any build here yet; build something first");
  if (!words.build.empty()) ids = {find_build_id(ids, words.build)};
  std::vector<std::string> known;
  std::unique_ptr<FoundBuild> elsewhere;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    auto record = store.load(*id);
    if (!record) continue;
    auto found = std::make_unique<FoundBuild>();
    found->record = std::move(*record);
    found->targets = found->record.find(words.image);
    found->bases = found->record.bases_of(found->targets);
    if (!found->targets.empty()) {
      if (!words.build.empty() || is_of_here(found->record)) return found;
      if (!elsewhere) elsewhere = std::move(found);
      continue;
    }
    for (const BuildRecordTarget& target : found->record.targets) {
      if (!target.name.empty()) known.push_back(target.name);
      known.insert(known.end(), target.names.begin(), target.names.end());
    }
  }
  if (elsewhere) return elsewhere;
  throw Error(Category::usage, fmt::format("no recorded build {}built '{}'{}", words.build.empty() ? "" : "of that ID ",
                                           printable(words.image), near_hint(words.image, known)));
}

nlohmann::json to_json(const BuildRecordStep& step) {
  nlohmann::json differences = nlohmann::json::array();
  for (const InputDifference& difference : step.differences) {
    nlohmann::json item = {
        {"type", input_word(difference.name)}, {"name", difference.name}, {"text", to_text(difference)}};
    if (difference.before) item["before"] = *difference.before;
    if (difference.after) item["after"] = *difference.after;
    differences.push_back(std::move(item));
  }
  return {{"stage", step.stage},
          {"index", step.index},
          {"file", step.file},
          {"line", step.line},
          {"text", step.text},
          {"key", step.key},
          {"outcome", to_string(step.outcome)},
          {"from", step.from},
          {"reason", step.reason},
          {"seconds", step.seconds},
          {"bytes", step.bytes},
          {"against", step.against},
          {"differences", differences},
          {"advice", miss_advice(step)}};
}

nlohmann::json to_json(const std::vector<const BuildRecordTarget*>& list) {
  nlohmann::json targets = nlohmann::json::array();
  for (const BuildRecordTarget* target : list) {
    nlohmann::json steps = nlohmann::json::array();
    for (const BuildRecordStep& step : target->steps) steps.push_back(to_json(step));
    targets.push_back({{"name", target->name},
                       {"image", target->image},
                       {"profile", target->profile},
                       {"platform", target->platform},
                       {"file", target->file},
                       {"names", target->names},
                       {"steps", std::move(steps)},
                       {"digest", target->digest ? nlohmann::json(target->digest->str()) : nlohmann::json()}});
  }
  return targets;
}

nlohmann::json to_json(const FoundBuild& build) {
  return {{"build", build.record.id},         {"created", build.record.created},      {"failed", build.record.failed},
          {"seconds", build.record.seconds},  {"fleet", build.record.fleet.native()}, {"bases", to_json(build.bases)},
          {"targets", to_json(build.targets)}};
}

void print_step(const BuildRecordStep& step) {
  const std::string place = step.line ? fmt::format("{}:{}", step.file, step.line) : step.file;
  fmt::print("  {:<6} {}  {}\n", step.outcome == StepOutcome::built ? "miss" : to_string(step.outcome),
             printable(place), printable(step.text));
  if (step.outcome == StepOutcome::hit) {
    fmt::print("         from {}; saved {:.2f} s, {}\n", printable(step.from), step.seconds, human_bytes(step.bytes));
    return;
  }
  if (step.outcome == StepOutcome::built)
    fmt::print("         cost {:.2f} s, {}\n", step.seconds, human_bytes(step.bytes));
  if (step.differences.empty()) {
    fmt::print("         because: {}\n", printable(step.reason));
  } else {
    fmt::print("         against the build of {}:\n", printable(step.against));
    constexpr std::size_t kMostShown = 12;
    for (std::size_t i = 0; i < std::min(kMostShown, step.differences.size()); ++i) {
      fmt::print("           {}\n", to_text(step.differences[i]));
    }
    if (step.differences.size() > kMostShown)
      fmt::print("           and {} more (--json lists all)\n", step.differences.size() - kMostShown);
  }
  for (const std::string& sentence : miss_advice(step)) fmt::print("         to hit: {}\n", sentence);
}

enum class StepsShown { all, misses };

void print_target(const BuildRecordTarget& target, StepsShown shown) {
  std::size_t hits = 0;
  double seconds = 0;
  std::uint64_t bytes = 0;
  for (const BuildRecordStep& step : target.steps) {
    if (step.outcome == StepOutcome::hit) {
      ++hits;
    } else {
      seconds += step.seconds;
      bytes += step.bytes;
    }
  }
  if (shown == StepsShown::misses && hits == target.steps.size()) return;
  fmt::print("{} ({}){}: {} hits, {} misses; the misses cost {:.2f} s and {}\n", printable(title_of(target)),
             target.platform, shown == StepsShown::misses ? ", built for what is FROM it" : "", hits,
             target.steps.size() - hits, seconds, human_bytes(bytes));
  for (const BuildRecordStep& step : target.steps) {
    if (shown == StepsShown::all || step.outcome != StepOutcome::hit) print_step(step);
  }
}

int run_why(const WhyWords& words) {
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const auto build = find_build(BuildRecordStore(home.builds()), words);
  if (words.json) {
    fmt::print("{}\n", to_json(*build).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return 0;
  }
  fmt::print("build {}{}, {:.2f} s{}\n", build->record.id, build->record.failed ? " (failed)" : "",
             build->record.seconds,
             is_of_here(build->record) ? "" : fmt::format(", of '{}'", printable(build->record.fleet.native())));
  for (const BuildRecordTarget* base : build->bases) print_target(*base, StepsShown::misses);
  for (const BuildRecordTarget* target : build->targets) print_target(*target, StepsShown::all);
  return 0;
}

}  // namespace

void add_why_command(Arguments& root) {
  const auto words = std::make_shared<WhyWords>();
  root.command("why", "Explain each step of an image's last build: hit or miss, and what made it miss.")
      .positional("IMAGE", words->image, "a target, an image or its name (default: all of the last build)")
      .option("--build", words->build, "this build instead of the last one: its ID or the beginning of it")
      .flag("--json", words->json, "as JSON")
      .handler([words](const CancelToken&) { return run_why(*words); });
}

}  // namespace kiln::cli
