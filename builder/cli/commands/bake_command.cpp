#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/output_file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/check_dockerfile.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/metadata.hpp"
#include "builder/cli/output/print_report.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/buildx_flags.hpp"
#include "builder/cli/words/definitions_source.hpp"
#include "builder/cli/words/fleet_policy.hpp"
#include "builder/cli/words/looked_at.hpp"
#include "builder/cli/words/machine_settings.hpp"
#include "builder/cli/words/network_log.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/cli/words/selected_fleet.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/cli/words/trace_output.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/definitions/bake/definition.hpp"
#include "builder/definitions/bake/print_checks.hpp"
#include "builder/definitions/bake_print.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/report/baseline.hpp"
#include "builder/report/gate.hpp"
#include "builder/report/report_store.hpp"

namespace kiln::cli {

namespace {

// What says which targets are meant, and how containers end.
const std::set<std::string, std::less<>> kSelection = {"--file", "--var",   "--set",     "--progress",
                                                       "--rm",   "--allow", "--offline", "--call"};

Look look_of(std::string_view flag, std::initializer_list<std::string_view> more) {
  Look look{flag, kSelection};
  look.heeds.insert(more.begin(), more.end());
  if (flag == "--print") look.heeds.insert({"--attest", "--provenance", "--sbom"});
  return look;
}

struct BakeWords {
  std::vector<std::string> targets;
  std::vector<std::string> files;
  std::vector<std::string> variables;
  std::optional<std::string> list;
  std::vector<std::string> profiles;
  bool push = false;
  std::optional<std::string> sign_key;
  std::optional<std::string> fleet_policy;
  std::string registry;
  std::vector<std::string> set;
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  std::string ca_bundle;
  std::string security;
  NetworkLogWords network_log;
  bool no_cache = false;
  bool pull = false;
  bool offline = false;
  bool print = false;
  bool check = false;
  bool load = false;
  BuildxWords buildx;
  bool inputs_tag = false;
  std::vector<std::string> pins;
  std::optional<std::string> only_platform;
  bool locked = false;
  std::optional<std::string> metadata_file;
  std::optional<std::string> report;
  std::optional<std::string> trace;
  std::optional<std::string> fail_under;
  std::optional<std::string> progress;
};

// What bake files say in their own words, without reading a Dockerfile. false where they are image definitions.
bool print_bake_files(const BakeWords& words, LoadFleetOptions options, const std::vector<std::string>& given) {
  if (words.push) options.set.emplace_back("*.push=true");
  if (words.load) options.set.emplace_back("*.load=true");
  if (words.no_cache) options.set.emplace_back("*.no-cache=true");
  if (words.pull) options.set.emplace_back("*.pull=true");
  if (words.check) options.set.emplace_back("*.call=lint");
  const auto definition = load_bake_definition(options);
  if (!definition) return false;
  StderrLog log;
  warn_of_unheeded_flags(
      words.list ? look_of("--list", {}) : look_of("--print", {"--push", "--load", "--no-cache", "--pull"}), given,
      log);
  for (const std::string& warning : definition->config().warnings) log.warn(warning);
  if (words.list) {
    fmt::print("{}", bake::list_config(definition->config(), *words.list));
    return true;
  }
  const bake::Selection selection = definition->select(options.wanted);
  bake::check_printed(*definition, selection);
  fmt::print("{}", bake::print_selection(selection));
  return true;
}

int print_fleet(const SelectedFleet& loaded, const Plan& plan, const std::vector<std::size_t>& wanted) {
  BakePrintOptions options;
  options.working_directory = fs::current_path();
  std::vector<const TargetSpec*> shown;
  for (const std::size_t number : plan.closure({wanted.begin(), wanted.end()})) {
    const PlannedTarget& planned = *plan.targets[number];
    const TargetSpec* target = loaded.fleet.find(planned.target.name);
    if (std::find(shown.begin(), shown.end(), target) == shown.end()) shown.push_back(target);
    if (!planned.is_for_children || !options.names.count(target->name))
      options.names[target->name] = planned.target.names;
    for (std::size_t stage = 0; stage < planned.bases.size(); ++stage) {
      if (const auto* parent = std::get_if<FleetBase>(&planned.bases[stage])) {
        options.edges[target->name][planned.dockerfile.stages[stage].base_name] =
            plan.targets[parent->target]->target.name;
      }
    }
  }
  for (const TargetSpec* target : loaded.selected) options.requested.push_back(target->name);
  fmt::print("{}", bake_print(loaded.fleet, shown, options));
  return 0;
}

// --check: what the rules find in each Dockerfile; the exit code of the worst.
int check_fleet(const Plan& plan, const std::vector<std::size_t>& wanted) {
  int worst = 0;
  for (const std::size_t number : wanted) {
    const TargetSpec& target = plan.targets[number]->target;
    DockerfileInput input{std::nullopt, target.dockerfile_text, target.dockerfile_name, target.ignore_text,
                          target.ignore_name};
    if (fs::exists(target.dockerfile_name)) input.path = target.dockerfile_name;
    CheckWords check;
    for (const auto& [name, value] : target.args) check.build_args.push_back(fmt::format("{}={}", name, value));
    check.platforms = {target.platform().str()};
    check.target = target.stage;
    worst = std::max(worst, check_dockerfile(input, check));
  }
  return worst;
}

// Takes the targets out of `names` that say call = check, and finds mistakes in them.
int check_called(const SelectedFleet& loaded, const Plan& plan, std::vector<std::string>& names) {
  std::vector<std::size_t> checked;
  std::erase_if(names, [&](const std::string& name) {
    if (loaded.fleet.find(name)->call.value_or(CallMethod::build) == CallMethod::build) return false;
    checked.push_back(numbers_of(plan, name).front());
    return true;
  });
  return check_fleet(plan, checked);
}

BuildRequest make_request(const BakeWords& words, SelectedFleet loaded, std::vector<std::string> names,
                          const CancelToken& cancel) {
  BuildRequest request;
  request.settings = fleet_build_settings(loaded.fleet, words.ca_bundle);
  request.settings.security = parse_security(words.security);
  request.settings.runs.allow_insecure = words.buildx.allows_insecure();
  if (words.locked) request.settings.bases.lock_policy = LockPolicy::frozen;
  request.settings.bases.pull = words.pull;
  request.settings.bases.use_cache = !words.no_cache;
  StderrLog log;
  request.settings.caches =
      fleet_cache_settings(loaded.fleet, loaded.selected, {words.cache_from, words.cache_to}, log);
  request.settings.offline = words.offline;
  request.settings.store_bound = read_machine_settings().store;
  apply_offline(request.settings, log);
  request.delivery.push = words.push;
  request.delivery.signing = push_signing(words.sign_key, cancel);
  if (words.fleet_policy || loaded.fleet.front_end == FrontEnd::bake_file) {
    const fs::path folder = loaded.fleet.front_end == FrontEnd::bake_file ? fs::current_path() : loaded.fleet.folder;
    loaded.fleet.settings.policy = find_fleet_policy(words.fleet_policy, {folder}, log).rules;
  }
  request.delivery.load = words.load;
  request.delivery.to_standard_output = false;
  request.delivery.inputs_tag = words.inputs_tag;
  request.delivery.pins = words.pins;
  request.delivery.attach_as = words.buildx.attach_as();
  request.delivery.default_provenance = has_default_provenance();
  request.goals = fleet_goals(loaded.fleet);
  request.baselines = read_baselines(loaded.fleet.folder / kBaselinesFileName);
  request.naming = std::move(loaded.naming);
  if (words.only_platform) request.only_platform = oci::Platform::parse(*words.only_platform);
  request.fleet = std::move(loaded.fleet);
  words.network_log.apply_to(request, log);
  request.targets = std::move(names);
  return request;
}

// docker reads the variable for single builds alone.
void warn_of_default_platform(const SelectedFleet& loaded, Log& log) {
  const std::vector<oci::Platform>& of_fleet = loaded.fleet.settings.platforms;
  const auto names_none = [&](const TargetSpec* target) { return target->platforms.empty() && of_fleet.empty(); };
  if (environment_variable("DOCKER_DEFAULT_PLATFORM").value_or("").empty()) return;
  if (std::none_of(loaded.selected.begin(), loaded.selected.end(), names_none)) return;
  log.warn(
      "DOCKER_DEFAULT_PLATFORM does not count for bake, with docker neither; 'platforms' of a target says what it is "
      "for");
}

int run_bake(const BakeWords& words, const std::vector<std::string>& given, const CancelToken& cancel) {
  words.print ? check_allowed(words.buildx) : check_buildx_words(words.buildx);
  refuse_unwritable(words.metadata_file, "--metadata-file");
  refuse_unwritable(words.report, "--report");
  if (words.print && words.list)
    throw Error(Category::usage, "--print and --list exclude one another; say one of them");
  const GateLimits gates = words.fail_under ? parse_gate_limits(*words.fail_under) : GateLimits{};
  std::vector<std::string> set = words.set;
  if (!words.list) {
    const std::vector<std::string> said = words.buildx.words_of_set();
    set.insert(set.end(), said.begin(), said.end());
  }
  const DefinitionsSource source = find_definitions({words.targets, words.files, words.variables, set}, cancel);
  if ((words.print || words.list) && print_bake_files(words, source.options, given)) return 0;
  check_buildx_words(words.buildx);
  StderrLog log;
  SelectedFleet loaded = select_fleet(source.options, words.profiles, words.registry,
                                      words.offline ? MayFetch::no : MayFetch::yes, cancel, log);
  const std::vector<TempDir> fetched = std::move(loaded.fetched);
  if (words.list) {
    warn_of_unheeded_flags(look_of("--list", {}), given, log);
    fmt::print("{}", list_fleet(loaded.fleet, *words.list));
    return 0;
  }
  Plan plan = plan_fleet(loaded.fleet, loaded.selected, loaded.naming);
  std::vector<std::string> names;
  std::vector<std::size_t> wanted, first;
  for (const TargetSpec* target : loaded.selected) {
    const auto numbers = numbers_of(plan, target->name);
    names.push_back(target->name);
    first.push_back(numbers.front());
    wanted.insert(wanted.end(), numbers.begin(), numbers.end());
  }
  const bool only_checks = words.check || words.buildx.wants_check();
  if (words.print || only_checks) {
    // A build tells them itself.
    for (const std::string& note : plan.notes) log.warn(note);
    warn_of_unheeded_flags(look_of(words.print ? "--print" : "--check", {"--profile", "--registry", "--locked"}), given,
                           log);
  }
  warn_of_default_platform(loaded, log);
  if (words.locked && loaded.fleet.front_end == FrontEnd::bake_file)
    log.warn("--locked changes nothing: bake files have no lock file");
  if (words.print) return print_fleet(loaded, plan, wanted);
  if (only_checks) return check_fleet(plan, first);
  if (const int found = check_called(loaded, plan, names); found != 0 || names.empty()) return found;

  TraceOutput trace(words.trace, "kiln bake", words.offline);
  const BuildRequest request = make_request(words, std::move(loaded), std::move(names), cancel);
  BuildSurroundings surroundings = surroundings_of({words.progress, false}, cancel);
  trace.listen(surroundings);
  const BuildResult result = traced(trace, [&] { return build(request, std::move(plan), surroundings); });
  if (words.report) write_report(*words.report, result.report);
  if (words.metadata_file) {
    nlohmann::json metadata = nlohmann::json::object();
    for (const BuiltTarget& target : result.targets) metadata[target.name] = target_metadata(target);
    write_output_file(*words.metadata_file, json_text(metadata, JsonLayout::indented) + "\n");
  }
  print_report(result.report, ReportLength::of_a_log);
  refuse_failed_gates(failed_gates(result.report, gates));
  return 0;
}

}  // namespace

void add_bake_command(Arguments& root) {
  const auto words = std::make_shared<BakeWords>();
  Arguments& bake = root.command("bake", "Build a fleet of images.");
  add_buildx_bake_flags(bake, words->buildx);
  add_fleet_policy_word(bake, words->fleet_policy);
  words->network_log.add_to(bake);
  bake.positional("TARGET", words->targets,
                  "targets, images or groups (default: the group 'default'), behind a git repository that holds the "
                  "definitions")
      .option("-f,--file", words->files, "fleet.json, its folder, or bake and Compose files; '-' is standard input")
      .option("--var", words->variables, "NAME=VALUE of a variable of bake files")
      .option("--list", words->list, "targets or variables: print those that there are, and build nothing")
      .option("--profile", words->profiles, "bake for this machine profile only")
      .flag("--push", words->push, "push the images")
      .option("--sign-key", words->sign_key, kSignKeyHelp)
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
      .option("--only-platform", words->only_platform,
              "of images for several platforms build this one, and push it for 'kiln index bake'")
      .flag("--print", words->print, "print the resolved fleet as docker buildx bake does, and build nothing")
      .flag("--offline", words->offline,
            "fetch nothing: build from the store, and remember what --push would have sent")
      .flag("--locked", words->locked, "fail where the lock file would have to change")
      .option("--metadata-file", words->metadata_file, "write what was built to this file, as JSON")
      .option("--report", words->report, "write the report to this file, as JSON")
      .option("--trace", words->trace, "write an OpenTelemetry trace of the build to this file, or send it to this URL")
      .option("--fail-under", words->fail_under, "reduction=PCT,cache=PCT: exit 1 where the run does not reach it")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .handler([words, &bake](const CancelToken& cancel) { return run_bake(*words, bake.given_flags(), cancel); });
}

}  // namespace kiln::cli
