#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/build/matrix_targets.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/selected_fleet.hpp"
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
  FleetWords fleet;
  std::string format = "github";
  std::vector<std::string> runners;
  int max_rows = static_cast<int>(kMaxMatrixRows);
  bool split_profiles = false;
  bool all = false;
  bool tag_unchanged = false;
};

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

// The tags of this build for what need not be built.
void tag_known(const Plan& plan, const KnownImages& known, RemoteSession& remote) {
  for (const auto& [number, references] : known.images) {
    for (const std::string& name : plan.targets[number]->target.names) {
      const oci::Reference wanted = oci::Reference::parse(name);
      for (const oci::Reference& reference : references) {
        if (reference.name() == wanted.name()) tag_image(remote, reference, wanted.tag_or_latest());
      }
    }
  }
}

// What the targets took when they were last built here, for each platform, steps that were hits by their record.
using RecordedSeconds = std::map<std::pair<std::string, std::string>, double>;

RecordedSeconds recorded_seconds() {
  RecordedSeconds seconds;
  const BuildRecordStore records(HomeLayout::open(HomeLayout::default_root()).builds());
  const std::vector<std::string> ids = records.ids();
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    const auto record = records.load(*id);
    if (!record || record->failed) continue;
    for (const BuildRecordTarget& target : record->targets) {
      if (target.name.empty()) continue;
      double sum = 0;
      for (const BuildRecordStep& step : target.steps) sum += step.seconds;
      seconds.emplace(std::pair(target.name, target.platform), sum);
    }
  }
  return seconds;
}

// What was planned, and what need not be built.
struct Matrix {
  std::vector<std::vector<MatrixRow>> waves;
  std::vector<MatrixRow> platforms;  // of a build without waves
  std::vector<std::string> changed;
  std::vector<std::pair<std::string, std::string>> unchanged;  // target, image by its digest
};

Matrix make_matrix(const MatrixWords& words, const std::vector<MatrixTarget>& targets) {
  Matrix matrix;
  matrix.waves = matrix_rows(targets, words.split_profiles ? Profiles::apart : Profiles::together,
                             static_cast<std::size_t>(words.max_rows));
  matrix.platforms = platform_rows(targets);
  for (const auto& rows : matrix.waves) {
    for (const MatrixRow& row : rows) {
      for (const MatrixTarget* target : row.targets) {
        if (std::find(matrix.changed.begin(), matrix.changed.end(), target->name) == matrix.changed.end())
          matrix.changed.push_back(target->name);
      }
    }
  }
  if (matrix.waves.size() > kWaves && words.format == "github") {
    throw Error(Category::usage, fmt::format("the fleet needs {} waves and the workflow has jobs for {}; build the "
                                             "deepest images in one job with 'kiln bake'",
                                             matrix.waves.size(), kWaves));
  }
  return matrix;
}

void print_for_github(const Matrix& matrix) {
  for (std::size_t wave = 0; wave < kWaves; ++wave) {
    const bool is_used = wave < matrix.waves.size();
    fmt::print("wave{}={}\n", wave, matrix_json(is_used ? matrix.waves[wave] : std::vector<MatrixRow>()));
  }
  std::vector<std::string> unchanged;
  for (const auto& [target, image] : matrix.unchanged) unchanged.push_back(target);
  fmt::print("platforms={}\nwaves={}\nchanged={}\nunchanged={}\n", matrix_json(matrix.platforms), matrix.waves.size(),
             join(matrix.changed, " "), join(unchanged, " "));
}

void print_matrix(const Matrix& matrix) {
  using Json = nlohmann::ordered_json;
  Json document = {{"schema_version", 1},
                   {"waves", Json::array()},
                   {"platforms", parse_own_ordered_json(matrix_json(matrix.platforms))},
                   {"changed", matrix.changed},
                   {"unchanged", Json::array()}};
  for (const auto& rows : matrix.waves) document["waves"].push_back(parse_own_ordered_json(matrix_json(rows)));
  for (const auto& [target, image] : matrix.unchanged)
    document["unchanged"].push_back({{"target", target}, {"image", image}});
  print_json(document);
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
  const DefinitionsSource source = find_definitions(words.fleet.definitions, cancel);
  const SelectedFleet loaded =
      select_fleet(source.options, words.fleet.profiles, words.fleet.registry, MayFetch::yes, cancel, log);
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
  const std::set<std::size_t> needed = needed_images(plan, wanted);
  const std::vector<TargetInputs> inputs =
      fleet_inputs(plan, needed, fleet_build_settings(fleet, ""), surroundings_of({std::nullopt, true}, cancel));
  KnownImages known;
  if (!words.all) {
    const auto remote = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
    known = find_known(plan, needed, inputs, *remote, log);
    if (words.tag_unchanged) tag_known(plan, known, *remote);
  }
  std::set<std::string> open;
  for (const std::size_t number : needed) {
    const std::string& name = plan.targets[number]->target.name;
    if (!inputs[number].open.empty() && open.insert(name).second)
      log.info(fmt::format("'{}' is never left out: {}", name, inputs[number].open));
  }
  const RunnerLabels runners(words.runners);
  const RecordedSeconds recorded = recorded_seconds();
  const auto targets = matrix_targets(
      plan, needed, inputs, known, [&](const oci::Platform& platform) { return runners.of(platform); },
      [&](const TargetSpec& target) {
        const auto it = recorded.find({target.name, target.platform().str()});
        return it == recorded.end() ? 0 : it->second;
      });
  Matrix matrix = make_matrix(words, targets);
  for (const auto& [number, references] : known.images)
    matrix.unchanged.emplace_back(plan.targets[number]->target.name, references.front().str());
  if (words.format == "github") {
    print_for_github(matrix);
  } else {
    print_matrix(matrix);
  }
  return 0;
}

}  // namespace

void add_matrix_command(Arguments& root) {
  const auto words = std::make_shared<MatrixWords>();
  Arguments& matrix = root.command("matrix", "Cut a build of the fleet into waves of jobs for CI.");
  add_fleet_words(matrix, words->fleet);
  matrix.option("--format", words->format, "github (default): lines for $GITHUB_OUTPUT; or json")
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
