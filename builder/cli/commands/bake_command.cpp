#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/bake_outputs.hpp"
#include "builder/cli/build_outputs.hpp"
#include "builder/cli/build_session.hpp"
#include "builder/cli/check_dockerfile.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/fleet_targets.hpp"
#include "builder/cli/metadata.hpp"
#include "builder/cli/print_report.hpp"
#include "builder/cli/stderr_log.hpp"
#include "builder/cli/target_tags.hpp"
#include "builder/cli/words/buildx_flags.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/definitions/bake_print.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/definitions/select.hpp"
#include "builder/report/baseline.hpp"

namespace kiln::cli {

namespace {

struct BakeWords {
  std::vector<std::string> targets;
  std::optional<std::string> file;
  std::vector<std::string> profiles;
  bool push = false;
  std::string registry;
  std::vector<std::string> set;
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  std::string ca_bundle;
  std::string security;
  bool no_cache = false;
  bool pull = false;
  bool offline = false;
  bool print = false;
  bool check = false;
  bool load = false;
  BuildxWords buildx;
  bool inputs_tag = false;
  std::vector<std::string> pins;
  bool locked = false;
  std::optional<std::string> metadata_file;
  std::optional<std::string> report;
  std::optional<std::string> fail_under;
  std::optional<std::string> progress;
};

struct LoadedFleet {
  Fleet fleet;
  std::vector<const Target*> selected;
  Publishing publishing;
};

LoadedFleet load(const BakeWords& words, const CancelToken& cancel) {
  LoadedFleet loaded;
  StderrLog log;
  LoadFleetOptions options;
  options.working_directory = fs::current_path();
  if (words.file) options.file = *words.file;
  options.set = words.set;
  options.environment = environment_variable;
  loaded.fleet = load_fleet(options);
  for (const std::string& warning : loaded.fleet.warnings) log.warn(warning);
  loaded.selected = select_targets(loaded.fleet, words.targets, words.profiles);
  loaded.publishing.registry = words.registry;
  loaded.publishing.date = date_for_tags(now_unix_seconds());
  if (uses_git(loaded.selected)) loaded.publishing.git = git_commit_of(loaded.fleet.folder, cancel, log);
  return loaded;
}

std::vector<std::size_t> numbers_of(const Plan& plan, const std::vector<const Target*>& selected) {
  std::vector<std::size_t> numbers;
  for (const Target* target : selected) {
    const auto it = std::find_if(plan.targets.begin(), plan.targets.end(),
                                 [&](const auto& planned) { return planned->target.name == target->name; });
    numbers.push_back(static_cast<std::size_t>(it - plan.targets.begin()));
  }
  return numbers;
}

int print_fleet(const LoadedFleet& loaded, const Plan& plan, const std::vector<std::size_t>& wanted) {
  BakePrintOptions options;
  options.working_directory = fs::current_path();
  std::vector<const Target*> shown;
  for (const std::size_t number : plan.closure({wanted.begin(), wanted.end()})) {
    const PlannedTarget& planned = *plan.targets[number];
    const Target* target = loaded.fleet.find(planned.target.name);
    shown.push_back(target);
    options.names[target->name] = planned.target.names;
    for (std::size_t stage = 0; stage < planned.bases.size(); ++stage) {
      if (const auto* parent = std::get_if<FleetBase>(&planned.bases[stage])) {
        options.edges[target->name][planned.dockerfile.stages[stage].base_name] =
            plan.targets[parent->target]->target.name;
      }
    }
  }
  for (const Target* target : loaded.selected) options.requested.push_back(target->name);
  fmt::print("{}", bake_print(loaded.fleet, shown, options));
  return 0;
}

// Where layers may go while their images are built. With pins nothing: an image that comes out wrong is to send
// nothing.
std::map<std::string, EarlyTarget> early_targets(const BakeWords& words, const Plan& plan,
                                                 const std::vector<std::size_t>& wanted,
                                                 const std::vector<std::vector<Output>>& outputs) {
  std::map<std::string, EarlyTarget> targets;
  if (!words.pins.empty()) return targets;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const BuildTarget& target = plan.targets[wanted[i]]->target;
    std::vector<Output> all = outputs[i];
    if (words.push) all.emplace_back().push = true;
    if (const auto first = early_target(target, all, target.names)) targets.emplace(target.name, *first);
  }
  return targets;
}

// --check: what the rules find in each Dockerfile; the exit code of the worst.
int check_fleet(const Plan& plan, const std::vector<std::size_t>& wanted) {
  int worst = 0;
  for (const std::size_t number : wanted) {
    const BuildTarget& target = plan.targets[number]->target;
    DockerfileInput input{std::nullopt, target.dockerfile_text, target.dockerfile_name, target.ignore_text,
                          target.ignore_name};
    if (fs::exists(target.dockerfile_name)) input.path = target.dockerfile_name;
    CheckWords check;
    for (const auto& [name, value] : target.args) check.build_args.push_back(fmt::format("{}={}", name, value));
    check.platforms = {target.platform.str()};
    check.target = target.stage;
    worst = std::max(worst, check_dockerfile(input, check));
  }
  return worst;
}

int run_bake(const BakeWords& words, const CancelToken& cancel) {
  check_buildx_words(words.buildx);
  const GateLimits gates = words.fail_under ? parse_gate_limits(*words.fail_under) : GateLimits{};
  const LoadedFleet loaded = load(words, cancel);
  const Plan plan = plan_fleet(loaded.fleet, loaded.selected, loaded.publishing);
  const std::vector<std::size_t> wanted = numbers_of(plan, loaded.selected);
  if (words.print) return print_fleet(loaded, plan, wanted);
  if (words.check || words.buildx.wants_check()) return check_fleet(plan, wanted);

  SessionSettings settings = fleet_session_settings(loaded.fleet, words.ca_bundle);
  settings.progress = words.progress;
  settings.security = parse_security(words.security);
  settings.runs.allow_insecure = words.buildx.allows_insecure();
  settings.bases.locked = words.locked;
  settings.bases.pull = words.pull;
  settings.bases.use_cache = !words.no_cache;
  {
    StderrLog log;
    settings.caches = fleet_cache_settings(loaded.fleet, loaded.selected, words.cache_from, words.cache_to, log);
  }
  settings.offline = words.offline;
  apply_offline(settings);
  if (words.inputs_tag && words.offline)
    throw Error(Category::usage,
                "--inputs-tag promises a cache that others can read; it cannot be given with --offline");
  if (words.inputs_tag && !words.push)
    throw Error(Category::usage, "--inputs-tag is given to what is pushed; add --push");
  const std::vector<Pin> pins = parse_pins(words.pins, plan, {wanted.begin(), wanted.end()});
  std::vector<std::size_t> built = wanted;  // and behind them what is only looked at
  for (const Pin& pin : pins) built.push_back(pin.target);
  std::vector<std::vector<std::string>> names;
  for (const std::size_t number : wanted) {
    names.push_back(plan.targets[number]->target.names);
    if (words.push && names.back().empty()) {
      throw Error(Category::usage,
                  fmt::format("target '{}' has no tags to be pushed under", plan.targets[number]->target.name));
    }
  }
  const std::vector<std::vector<Output>> outputs = bake_outputs(loaded.selected, names);
  std::vector<std::vector<std::string>> inputs_names;
  if (words.inputs_tag) {
    const std::vector<TargetInputs> inputs = fleet_inputs(plan, {wanted.begin(), wanted.end()}, settings, cancel);
    for (const std::size_t number : wanted) {
      inputs_names.emplace_back();
      for (const oci::Reference& reference : inputs_references(plan.targets[number]->target, inputs[number]))
        inputs_names.back().push_back(reference.str());
    }
  }
  BuildSession session(settings, cancel);
  std::vector<BuiltImage> images;
  session.push_early(early_targets(words, plan, wanted, outputs));
  session.with_lost_steps_redone([&] {
    images = session.build(plan, built,
                           [&](const BuildTarget& target) { return fleet_assembly_options(target, settings.times); });
    for (std::size_t i = 0; i < pins.size(); ++i) check_pin(pins[i], images[wanted.size() + i], session.remote().get());
    images.resize(wanted.size());
    session.check_sizes(images);
    session.name_in_store(images, names,
                          words.push ? BuildSession::AbsentLayers::leave_unnamed : BuildSession::AbsentLayers::fetch);
    if (words.push) session.push(images, names);
    for (std::size_t i = 0; words.load && i < images.size(); ++i) load_into_engine(session, {images[i]}, names[i]);
    write_bake_outputs(session, images, names, outputs, words.push, settings.times.epoch);
  });
  session.write_caches(plan, wanted, images, words.push ? names : std::vector<std::vector<std::string>>());
  // Last: whoever finds this tag may rely on the cache too.
  if (words.inputs_tag) session.push(images, inputs_names);
  const auto baselines = read_baselines(loaded.fleet.folder / kBaselinesFileName);
  const BuildReport report = session.finish_report(fleet_report_targets(loaded.fleet), images, baselines, words.report);
  session.end_progress();
  if (words.metadata_file) {
    nlohmann::json metadata = nlohmann::json::object();
    for (std::size_t i = 0; i < images.size(); ++i)
      metadata[images[i].target->name] = image_metadata(images[i].image, names[i]);
    write_file_atomically(*words.metadata_file, metadata.dump(2) + "\n");
  }
  print_report(report);
  refuse_failed_gates(failed_gates(report, gates));
  return 0;
}

}  // namespace

void add_bake_command(Arguments& root) {
  const auto words = std::make_shared<BakeWords>();
  Arguments& bake = root.command("bake", "Build a fleet of images.");
  add_buildx_bake_flags(bake, words->buildx);
  bake.positional("TARGET", words->targets, "targets, images or groups (default: the group 'default')")
      .option("-f,--file", words->file, "fleet.json, its folder, or docker-bake.json")
      .option("--profile", words->profiles, "bake for this machine profile only")
      .flag("--push", words->push, "push the images")
      .flag("--load", words->load, "load the images into the docker or podman of this machine")
      .flag("--check", words->check, "look for mistakes in the targets' Dockerfiles and build nothing, as 'kiln check'")
      .option("--registry", words->registry, "HOST[:PORT]/NAMESPACE to name and push images under")
      .option("--set", words->set, "TARGET.KEY=VALUE over the definition")
      .option("--cache-from", words->cache_from,
              "a shared cache to look in, in place of the fleet's (see 'kiln build')")
      .option("--cache-to", words->cache_to, "a shared cache to write to, in place of the fleet's")
      .option("--ca-bundle", words->ca_bundle, "certificate authorities that RUN trusts: FILE, host or none")
      .option("--security", words->security, "of RUN: sandbox (default), or hardened: no program gains privileges")
      .flag("--no-cache", words->no_cache, "execute every step")
      .flag("--pull", words->pull, "ask registries for newer base images")
      .flag("--inputs-tag", words->inputs_tag,
            "push each image under a tag of its inputs too: 'kiln matrix' leaves out what has one")
      .option("--pin", words->pins,
              "NAME=REFERENCE: fail where this image of the fleet comes out other than at the registry")
      .flag("--print", words->print, "print the resolved fleet as docker buildx bake does, and build nothing")
      .flag("--offline", words->offline,
            "fetch nothing: build from the store, and remember what --push would have sent")
      .flag("--locked", words->locked, "fail where the lock file would have to change")
      .option("--metadata-file", words->metadata_file, "write what was built to this file, as JSON")
      .option("--report", words->report, "write the report to this file, as JSON")
      .option("--fail-under", words->fail_under, "reduction=PCT,cache=PCT: exit 1 where the run does not reach it")
      .option("--progress", words->progress, "auto, tty, plain, quiet or rawjson")
      .handler([words](const CancelToken& cancel) { return run_bake(*words, cancel); });
}

}  // namespace kiln::cli
