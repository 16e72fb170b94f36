#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/count_of.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/recorded_builds.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/report/miss_advice.hpp"
#include "builder/report/miss_causes.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

struct WhyWords {
  std::string image;
  std::string build;
  bool json = false;
};

struct FoundBuild {
  FoundBuild(BuildRecord found, const std::string& image)
      : record(std::move(found)), targets(record.find(image)), bases(record.bases_of(targets)), causes(record) {}
  FoundBuild(const FoundBuild&) = delete;

  BuildRecord record;
  std::vector<const BuildRecordTarget*> targets;  // of the record
  std::vector<const BuildRecordTarget*> bases;    // that they are built from
  MissCauses causes;
};

MissSum sum_of(const std::vector<const BuildRecordTarget*>& targets) {
  MissSum sum;
  for (const BuildRecordTarget* target : targets) sum.add(*target);
  return sum;
}

// Of what was asked for, each once.
std::vector<const MissCause*> causes_of(const FoundBuild& build) {
  std::vector<const MissCause*> causes;
  for (const auto* list : {&build.bases, &build.targets}) {
    for (const BuildRecordTarget* target : *list) {
      const MissCause* cause = build.causes.of(*target);
      if (cause && std::find(causes.begin(), causes.end(), cause) == causes.end()) causes.push_back(cause);
    }
  }
  return causes;
}

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

// Whether a build that found something may be meant here: it is of the fleet here, or of a Dockerfile that is here.
bool is_meant_here(const FoundBuild& found) {
  if (!found.record.fleet.empty()) return is_of_here(found.record);
  return std::any_of(found.targets.begin(), found.targets.end(), [&](const BuildRecordTarget* target) {
    return target->file.empty() || !recorded_file(found.record, target->file).empty();
  });
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
    auto found = std::make_unique<FoundBuild>(std::move(*record), words.image);
    if (!found->targets.empty()) {
      if (!words.build.empty() || is_meant_here(*found)) return found;
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

nlohmann::json to_json(const MissSum& sum) {
  return {{"misses", sum.misses}, {"seconds", sum.seconds}, {"bytes", sum.bytes}};
}

nlohmann::json to_json(const MissCause& cause) {
  nlohmann::json rebuilt = nlohmann::json::array();
  for (const BuildRecordTarget* target : cause.rebuilt) rebuilt.push_back(title_of(*target));
  return {{"target", title_of(*cause.target)},
          {"file", cause.step->file},
          {"line", cause.step->line},
          {"text", cause.text()},
          {"rebuilt", rebuilt}};
}

nlohmann::json to_json(const std::vector<const BuildRecordTarget*>& list, const FoundBuild& build) {
  nlohmann::json targets = nlohmann::json::array();
  for (const BuildRecordTarget* target : list) {
    nlohmann::json steps = nlohmann::json::array();
    for (const BuildRecordStep& step : target->steps) steps.push_back(to_json(step));
    const MissCause* cause = build.causes.of(*target);
    targets.push_back({{"name", target->name},
                       {"image", target->image},
                       {"profile", target->profile},
                       {"platform", target->platform},
                       {"file", target->file},
                       {"names", target->names},
                       {"steps", std::move(steps)},
                       {"own", to_json(sum_of({target}))},
                       {"below", to_json(sum_of(build.record.bases_of({target})))},
                       {"cause", cause ? nlohmann::json(cause->text()) : nlohmann::json()},
                       {"digest", target->digest ? nlohmann::json(target->digest->str()) : nlohmann::json()}});
  }
  return targets;
}

nlohmann::json to_json(const FoundBuild& build) {
  nlohmann::json causes = nlohmann::json::array();
  for (const MissCause* cause : causes_of(build)) causes.push_back(to_json(*cause));
  return {{"build", build.record.id},
          {"created", build.record.created},
          {"failed", build.record.failed},
          {"seconds", build.record.seconds},
          {"fleet", build.record.fleet.native()},
          {"causes", std::move(causes)},
          {"bases", to_json(build.bases, build)},
          {"targets", to_json(build.targets, build)}};
}

void print_step(const BuildRecordStep& step) {
  const std::string place = step.line ? fmt::format("{}:{}", step.file, step.line) : step.file;
  print_text(fmt::format("  {:<6} {}  {}\n", step.outcome == StepOutcome::built ? "miss" : to_string(step.outcome),
                         printable(place), printable(step.text)));
  if (step.outcome == StepOutcome::hit) {
    print_text(fmt::format("         from {}; saved {:.2f} s, {}\n", printable(step.from), step.seconds,
                           human_bytes(step.bytes)));
    return;
  }
  if (step.outcome == StepOutcome::built)
    print_text(fmt::format("         cost {:.2f} s, {}\n", step.seconds, human_bytes(step.bytes)));
  if (step.differences.empty()) {
    print_text(fmt::format("         because: {}\n", printable(step.reason)));
  } else {
    print_text(fmt::format("         against the build of {}:\n", printable(step.against)));
    constexpr std::size_t kMostShown = 12;
    for (std::size_t i = 0; i < std::min(kMostShown, step.differences.size()); ++i) {
      print_text(fmt::format("           {}\n", to_text(step.differences[i])));
    }
    if (step.differences.size() > kMostShown)
      print_text(fmt::format("           and {} more (--json lists all)\n", step.differences.size() - kMostShown));
  }
  for (const std::string& sentence : miss_advice(step)) print_text(fmt::format("         to hit: {}\n", sentence));
}

std::string cost_of(const MissSum& sum) {
  return fmt::format("{} miss{}", sum.misses, sum.misses == 1 ? "" : "es") +
         (sum.misses == 0 ? "" : fmt::format(" that cost {:.2f} s and {}", sum.seconds, human_bytes(sum.bytes)));
}

enum class StepsShown { all, misses };

void print_target(const FoundBuild& build, const BuildRecordTarget& target, StepsShown shown) {
  const MissSum sum = sum_of({&target});
  if (shown == StepsShown::misses && sum.misses == 0) return;
  const MissSum below = sum_of(build.record.bases_of({&target}));
  print_text(fmt::format(
      "{} ({}){}: {}, {}{}\n", printable(title_of(target)), target.platform,
      shown == StepsShown::misses ? ", built for what is FROM it" : "", count_of(sum.hits, "hit"), cost_of(sum),
      shown == StepsShown::all && below.misses > 0 ? fmt::format("; below it {}", cost_of(below)) : ""));
  for (const BuildRecordStep& step : target.steps) {
    if (shown == StepsShown::all || step.outcome != StepOutcome::hit) print_step(step);
  }
}

// Each first cause once; of first builds their number.
void print_causes(const FoundBuild& build) {
  std::size_t first_builds = 0;
  for (const MissCause* cause : causes_of(build)) {
    if (cause->is_first_build()) {
      ++first_builds;
    } else {
      print_text(fmt::format("first cause: {}\n", cause->text()));
    }
  }
  if (first_builds > 0)
    print_text(fmt::format("first cause: no earlier build of {}\n", count_of(first_builds, "image")));
}

// Of a large fleet what missed by itself is told step by step, the rest by a line each or in a sum.
void print_fleet(const FoundBuild& build) {
  std::size_t unchanged = 0;
  for (const BuildRecordTarget* target : build.targets) {
    const MissSum sum = sum_of({target});
    const MissCause* cause = build.causes.of(*target);
    if (sum.misses == 0) {
      ++unchanged;
    } else if (!cause || cause->target == target) {
      print_target(build, *target, StepsShown::misses);
    } else {
      print_text(fmt::format("{} ({}): {}, {}, because of {}:{}\n", printable(title_of(*target)), target->platform,
                             count_of(sum.hits, "hit"), cost_of(sum), printable(cause->step->file), cause->step->line));
    }
  }
  if (unchanged > 0) print_text(fmt::format("{} of {} targets executed nothing\n", unchanged, build.targets.size()));
}

int run_why(const WhyWords& words) {
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const auto build = find_build(BuildRecordStore(home.builds()), words);
  if (words.json) {
    print_json(to_json(*build));
    return 0;
  }
  print_text(fmt::format(
      "build {}{}, {:.2f} s{}\n", build->record.id, build->record.failed ? " (failed)" : "", build->record.seconds,
      is_of_here(build->record) ? "" : fmt::format(", of '{}'", printable(build->record.fleet.native()))));
  print_causes(*build);
  constexpr std::size_t kMostShownWhole = 12;
  if (words.image.empty() && build->targets.size() > kMostShownWhole) {
    print_fleet(*build);
    return 0;
  }
  for (const BuildRecordTarget* base : build->bases) print_target(*build, *base, StepsShown::misses);
  for (const BuildRecordTarget* target : build->targets) print_target(*build, *target, StepsShown::all);
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
