#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/build/target_tags.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cli/build_surroundings.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/definitions_source.hpp"
#include "builder/cli/selected_fleet.hpp"
#include "builder/cli/stderr_log.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/plan/matrix.hpp"
#include "registry/remote/push.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln::cli {

namespace {

// The waves that the reusable workflow has jobs for.
constexpr std::size_t kWaves = 6;
constexpr const char* kRunner = "ubuntu-24.04";

struct MatrixWords {
  std::vector<std::string> targets;
  std::vector<std::string> files;
  std::vector<std::string> variables;
  std::vector<std::string> profiles;
  std::string registry;
  std::vector<std::string> set;
  std::string format = "github";
  std::vector<std::string> runners;
  int max_rows = static_cast<int>(kMaxMatrixRows);
  bool split_profiles = false;
  bool all = false;
  bool tag_unchanged = false;
};

// What is at the registry under a target's inputs; empty where it has to be built.
using KnownImages = std::map<std::size_t, std::vector<oci::Reference>>;  // by target, with digests, one a repository

class RunnerLabels {
 public:
  explicit RunnerLabels(const std::vector<std::string>& words) {
    labels_["linux/arm64"] = "ubuntu-24.04-arm";
    for (const std::string& word : words) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) {
        any_ = word;
      } else {
        labels_[oci::Platform::parse(word.substr(0, equals)).str()] = word.substr(equals + 1);
      }
    }
  }
  std::string of(const oci::Platform& platform) const {
    const auto it = labels_.find(platform.str());
    return it == labels_.end() ? any_ : it->second;
  }

 private:
  std::map<std::string, std::string> labels_;
  std::string any_ = kRunner;
};

// A target of the plan among those that are the same image for other platforms: one job builds them all, and publishes
// their index.
class PlatformsOf {
 public:
  PlatformsOf(const Plan& plan, std::size_t number) : plan_(plan), number_(number) {
    if (!plan.targets[number]->is_for_children) numbers_ = numbers_of(plan, plan.targets[number]->target.name);
    if (numbers_.empty()) numbers_ = {number};
  }
  bool is_first() const { return numbers_.front() == number_; }
  std::size_t first() const { return numbers_.front(); }
  const std::vector<std::size_t>& numbers() const { return numbers_; }

  TargetInputs inputs(const std::vector<TargetInputs>& all) const {
    std::vector<TargetInputs> own;
    for (const std::size_t number : numbers_) own.push_back(all[number]);
    return inputs_of_all(own);
  }
  std::string platforms() const {
    std::vector<std::string> names;
    for (const std::size_t number : numbers_) names.push_back(plan_.targets[number]->target.platform().str());
    return join(names, ",");
  }
  // What any of them is built from.
  std::set<std::size_t> parents() const {
    std::set<std::size_t> parents;
    for (const std::size_t number : numbers_) {
      for (const std::size_t parent : plan_.targets[number]->fleet_parents) parents.insert(first_of(parent));
    }
    return parents;
  }

 private:
  // Of what is built for another platform only because this is: the image that is published.
  std::size_t first_of(std::size_t parent) const {
    const auto published = numbers_of(plan_, plan_.targets[parent]->target.name);
    return published.empty() ? parent : published.front();
  }

  const Plan& plan_;
  std::size_t number_;
  std::vector<std::size_t> numbers_;
};

KnownImages find_known(const Plan& plan, const std::set<std::size_t>& needed, const std::vector<TargetInputs>& inputs,
                       RemoteSession& remote, Log& log) {
  KnownImages known;
  for (const std::size_t number : needed) {
    const PlatformsOf image(plan, number);
    if (!image.is_first()) continue;
    std::vector<oci::Reference> found;
    const auto references = inputs_references(plan.targets[number]->target, image.inputs(inputs));
    for (const oci::Reference& reference : references) {
      try {
        const auto manifest =
            remote.client_for(reference).resolve(remote.repository_of(reference).repository, reference.manifest_key());
        if (manifest) found.push_back(reference.with_digest(manifest->digest));
      } catch (const Error& error) {
        if (error.category() != Category::network) throw;
        log.warn(fmt::format("'{}' is built because the registry did not answer: {}", plan.targets[number]->target.name,
                             error.message()));
      }
    }
    if (!found.empty() && found.size() == references.size()) known.emplace(number, std::move(found));
  }
  return known;
}

// The tags of this build for what need not be built.
void tag_known(const Plan& plan, const KnownImages& known, RemoteSession& remote) {
  for (const auto& [number, references] : known) {
    for (const std::string& name : plan.targets[number]->target.names) {
      const oci::Reference wanted = oci::Reference::parse(name);
      for (const oci::Reference& reference : references) {
        if (reference.name() == wanted.name()) tag_image(remote, reference, wanted.tag_or_latest());
      }
    }
  }
}

// What the targets took when they were last built here, steps that were hits by their record.
std::map<std::string, double> recorded_seconds() {
  std::map<std::string, double> seconds;
  const BuildRecordStore records(HomeLayout::open(HomeLayout::default_root()).builds());
  const std::vector<std::string> ids = records.ids();
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    const auto record = records.load(*id);
    if (!record || record->failed) continue;
    for (const BuildRecordTarget& target : record->targets) {
      if (target.name.empty() || seconds.count(target.name)) continue;
      double sum = 0;
      for (const BuildRecordStep& step : target.steps) sum += step.seconds;
      seconds[target.name] = sum;
    }
  }
  return seconds;
}

std::vector<MatrixTarget> targets_to_build(const Plan& plan, const std::set<std::size_t>& needed,
                                           const KnownImages& known, const std::vector<TargetInputs>& inputs,
                                           const RunnerLabels& runners) {
  const std::map<std::string, double> seconds = recorded_seconds();
  std::vector<MatrixTarget> targets;
  std::map<std::size_t, std::size_t> waves;  // by target: the wave after which it is there
  const std::vector<std::size_t> order = plan.order();
  for (auto at = order.begin(); at != order.end(); ++at) {
    const PlatformsOf image(plan, *at);
    // The last of its platforms comes after the parents of all.
    const bool is_last = std::none_of(at + 1, order.end(), [&](std::size_t later) {
      return std::find(image.numbers().begin(), image.numbers().end(), later) != image.numbers().end();
    });
    if (!needed.count(*at) || !is_last) continue;
    const std::size_t number = image.first();
    const PlannedTarget& planned = *plan.targets[number];
    std::set<std::size_t> parents = image.parents();
    // Of what is built for another platform only, nothing is published that could be taken.
    std::erase_if(parents, [&](std::size_t parent) { return needed.count(parent) == 0; });
    std::size_t wave = 0;
    for (const std::size_t parent : parents) wave = std::max(wave, waves[parent]);
    const bool is_built = !known.count(number) && !planned.target.names.empty();
    waves[number] = is_built ? wave + 1 : wave;
    if (!is_built) continue;
    MatrixTarget target;
    target.name = planned.target.name;
    target.image = planned.target.image;
    if (planned.target.profile) target.profile = planned.target.profile->name;
    target.platform = image.platforms();
    target.runner = runners.of(planned.target.platform());
    target.wave = wave;
    target.inputs = image.inputs(inputs).hash;
    if (const auto it = seconds.find(target.name); it != seconds.end()) target.seconds = it->second;
    for (const std::size_t parent : parents) {
      const TargetSpec& above = plan.targets[parent]->target;
      if (const auto it = known.find(parent); it != known.end()) {
        oci::Reference pinned = it->second.front();
        pinned.tag.reset();
        target.parents.push_back(fmt::format("{}={}@{}", above.name, pinned.name(), pinned.digest->str()));
      } else if (const auto references = inputs_references(above, PlatformsOf(plan, parent).inputs(inputs));
                 !references.empty()) {
        target.parents.push_back(above.name + "=" + references.front().str());
      }
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

void print_matrix(const MatrixWords& words, const Plan& plan, const std::set<std::size_t>& needed,
                  const KnownImages& known, const std::vector<std::vector<MatrixRow>>& waves) {
  std::vector<std::string> changed, unchanged;
  for (const auto& rows : waves) {
    for (const MatrixRow& row : rows) {
      for (const MatrixTarget* target : row.targets) changed.push_back(target->name);
    }
  }
  for (const std::size_t number : needed) {
    if (known.count(number)) unchanged.push_back(plan.targets[number]->target.name);
  }
  if (words.format == "github") {
    for (std::size_t wave = 0; wave < kWaves; ++wave) {
      fmt::print("wave{}={}\n", wave, matrix_json(wave < waves.size() ? waves[wave] : std::vector<MatrixRow>()));
    }
    fmt::print("waves={}\nchanged={}\nunchanged={}\n", waves.size(), join(changed, " "), join(unchanged, " "));
    return;
  }
  nlohmann::ordered_json document = {{"schema_version", 1},
                                     {"waves", nlohmann::json::array()},
                                     {"changed", changed},
                                     {"unchanged", nlohmann::json::array()}};
  for (const auto& rows : waves) document["waves"].push_back(nlohmann::ordered_json::parse(matrix_json(rows)));
  for (const auto& [number, references] : known) {
    document["unchanged"].push_back(
        {{"target", plan.targets[number]->target.name}, {"image", references.front().str()}});
  }
  fmt::print("{}\n", document.dump(2));
}

int run_matrix(const MatrixWords& words, const CancelToken& cancel) {
  const std::vector<std::string> formats = {"github", "json"};
  if (std::find(formats.begin(), formats.end(), words.format) == formats.end()) {
    throw Error(Category::usage, fmt::format("'--format {}' is not known{}", printable(words.format),
                                             suggestion(words.format, formats)));
  }
  if (words.max_rows < 1 || words.max_rows > static_cast<int>(kMaxMatrixRows)) {
    throw Error(Category::usage, fmt::format("--max-rows must be 1 to {}, got {}", kMaxMatrixRows, words.max_rows));
  }
  StderrLog log;
  const DefinitionsSource source = find_definitions({words.targets, words.files, words.variables, words.set}, cancel);
  const SelectedFleet loaded = select_fleet(source.options, words.profiles, words.registry, MayFetch::yes, cancel, log);
  const Fleet& fleet = loaded.fleet;
  const Plan plan = plan_fleet(fleet, loaded.selected, loaded.naming);
  for (const std::string& note : plan.notes) log.warn(note);
  std::set<std::size_t> wanted;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const std::string& name = plan.targets[i]->target.name;
    if (plan.targets[i]->is_for_children) continue;
    if (std::any_of(loaded.selected.begin(), loaded.selected.end(),
                    [&](const TargetSpec* target) { return target->name == name; }))
      wanted.insert(i);
  }
  const std::set<std::size_t> needed = plan.closure(wanted);
  const std::vector<TargetInputs> inputs =
      fleet_inputs(plan, wanted, fleet_build_settings(fleet, ""), surroundings_of({std::nullopt, true}, cancel));
  KnownImages known;
  if (!words.all) {
    const auto remote = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
    known = find_known(plan, needed, inputs, *remote, log);
    if (words.tag_unchanged) tag_known(plan, known, *remote);
  }
  for (const std::size_t number : needed) {
    if (!inputs[number].open.empty())
      log.info(fmt::format("'{}' is never left out: {}", plan.targets[number]->target.name, inputs[number].open));
  }
  const auto targets = targets_to_build(plan, needed, known, inputs, RunnerLabels(words.runners));
  const auto waves = matrix_rows(targets, words.split_profiles ? Profiles::apart : Profiles::together,
                                 static_cast<std::size_t>(words.max_rows));
  if (waves.size() > kWaves && words.format == "github") {
    throw Error(Category::usage, fmt::format("the fleet needs {} waves and the workflow has jobs for {}; build the "
                                             "deepest images in one job with 'kiln bake'",
                                             waves.size(), kWaves));
  }
  print_matrix(words, plan, needed, known, waves);
  return 0;
}

}  // namespace

void add_matrix_command(Arguments& root) {
  const auto words = std::make_shared<MatrixWords>();
  root.command("matrix", "Cut a build of the fleet into waves of jobs for CI.")
      .positional("TARGET", words->targets, "targets, images or groups (default: the group 'default')")
      .option("-f,--file", words->files, "fleet.json, its folder, or bake and Compose files")
      .option("--var", words->variables, "NAME=VALUE of a variable of bake files")
      .option("--profile", words->profiles, "for this machine profile only")
      .option("--registry", words->registry, "HOST[:PORT]/NAMESPACE to name images under")
      .option("--set", words->set, "TARGET.KEY=VALUE over the definition")
      .option("--format", words->format, "github (default): lines for $GITHUB_OUTPUT; or json")
      .option("--runner", words->runners,
              "LABEL, or PLATFORM=LABEL: the machines that jobs run on (default: ubuntu-24.04)")
      .option("--max-rows", words->max_rows, "jobs a wave at most (default and most: 256)")
      .flag("--split-profiles", words->split_profiles,
            "a job for each profile of an image; together they execute shared steps once")
      .flag("--all", words->all, "ask no registry and leave nothing out")
      .flag("--tag-unchanged", words->tag_unchanged,
            "give images that need not be built the tags of this build, at the registry")
      .handler([words](const CancelToken& cancel) { return run_matrix(*words, cancel); });
}

}  // namespace kiln::cli
