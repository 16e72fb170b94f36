#include "builder/build/fleet_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/near_hint.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/definitions/cuda_arch.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/dockerfile/text_file.hpp"

namespace kiln {

namespace {

// Paths are shown as people would type them from where they are.
std::string shown(const fs::path& path) {
  const fs::path relative = path.lexically_proximate(fs::current_path());
  return relative.native().starts_with("../") ? path.native() : relative.native();
}

// The CUDA arch list that a target's code was built for: its own, else the nearest ancestor's.
const Cuda* cuda_of(const Plan& plan, const Fleet& fleet, std::size_t number) {
  const TargetSpec* target = fleet.find(plan.targets[number]->target.name);
  if (target && target->cuda) return &*target->cuda;
  for (const std::size_t parent : plan.targets[number]->fleet_parents) {
    if (const Cuda* cuda = cuda_of(plan, fleet, parent)) return cuda;
  }
  return nullptr;
}

void check_gpu_services(const Plan& plan, const Fleet& fleet) {
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const TargetSpec* target = fleet.find(plan.targets[i]->target.name);
    if (!plan.targets[i]->target.problems.empty()) continue;
    if (!target || target->device != Device::gpu || target->kind != ImageKind::service || !target->profile) continue;
    const auto wanted = target->profile->values.find("CUDA_ARCH");
    const Cuda* cuda = cuda_of(plan, fleet, i);
    if (wanted == target->profile->values.end() || !cuda) continue;
    if (const auto problem = check_cuda_arch(wanted->second, cuda->arch_list)) {
      throw Error(Category::usage,
                  fmt::format("{}: target '{}': {}", shown(target->definition), target->name, *problem));
    }
  }
}

// Children inherit from their parent how layers are made and, of image definitions, what is said of the image, where
// they say nothing. Targets of bake files inherit that by name alone, as in buildx.
void inherit_settings(Plan& plan, const Fleet& fleet) {
  for (const std::size_t number : plan.order()) {
    const TargetSpec* target = fleet.find(plan.targets[number]->target.name);
    if (!target) continue;
    const NameMeaning* base = &plan.targets[number]->bases[plan.targets[number]->final_stage];
    while (const auto* stage = std::get_if<StageBase>(base)) base = &plan.targets[number]->bases[stage->stage];
    const auto* parent = std::get_if<FleetBase>(base);
    TargetSpec& planned = plan.targets[number]->target;
    if (fleet.front_end == FrontEnd::image_definitions) {
      planned.attestations =
          with_inherited_attestations(target->attestations, parent ? plan.targets[parent->target]->target.attestations
                                                                   : fleet.settings.attestations);
    }
    if (!parent) continue;
    const TargetSpec& above = plan.targets[parent->target]->target;
    if (!target->compression) planned.compression = above.compression;
    if (!target->layers) planned.layers = above.layers;
  }
}

// The folder that no link of a target's files may lead out of: what comes with a checkout is not to show other files
// of the machine in a message. Images of definitions may share files among one another.
std::optional<fs::path> source_of(const TargetSpec& target, const fs::path& file) {
  std::optional<fs::path> folder = target.context;
  if (target.definition.filename() == "image.json") folder = target.definition.parent_path().parent_path();
  return folder && dockerfile::lies_in(file, *folder) ? folder : std::nullopt;
}

// The text of a target's Dockerfile; a missing one is a mistake of the definitions, said with what names another.
std::string read_dockerfile(const TargetSpec& target) {
  const fs::path& file = *target.dockerfile;
  if (auto text = dockerfile::read_text_file(file, source_of(target, file))) return std::move(*text);
  const fs::path folder = file.parent_path();
  if (!fs::is_directory(folder)) {
    throw Error(Category::usage,
                fmt::format("target '{}': there is no folder '{}', where its Dockerfile '{}' should be",
                            printable(target.name), printable(shown(folder)), printable(file.filename().native())));
  }
  if (fs::is_directory(file)) {
    throw Error(Category::usage, fmt::format("target '{}': '{}' is no Dockerfile but a folder", printable(target.name),
                                             printable(shown(file))));
  }
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().filename().native());
  throw Error(Category::usage,
              fmt::format("target '{}': there is no Dockerfile '{}'{}; \"dockerfile\" of the target or --set "
                          "{}.dockerfile=FILE names another",
                          printable(target.name), printable(shown(file)), near_hint(file.filename().native(), files),
                          printable(target.name)));
}

}  // namespace

TargetSpec complete_target(const Fleet& fleet, const TargetSpec& target, const NameValues& naming) {
  TargetSpec result = target;
  result.args = baked_args(target);
  if (!target.dockerfile_name.empty()) {
    // It was read already.
  } else if (target.dockerfile_inline) {
    result.dockerfile_text = *target.dockerfile_inline;
    result.dockerfile_name = shown(target.definition) + " (inline)";
  } else if (target.dockerfile) {
    result.dockerfile_text = read_dockerfile(target);
    result.dockerfile_name = shown(*target.dockerfile);
  } else {
    result.dockerfile_text = "FROM debian\n";
    result.dockerfile_name = shown(target.definition);
  }
  const bool has_shared = target.context && target.dockerfile_name.empty();
  if (auto ignore = dockerfile::read_ignore_file_of(target.dockerfile, has_shared ? target.context : std::nullopt,
                                                    target.context)) {
    result.ignore_text = std::move(ignore->text);
    result.ignore_name = shown(ignore->name);
  }
  if (result.platforms.empty()) result.platforms = fleet.settings.platforms;
  if (!result.compression) result.compression = fleet.settings.compression;
  if (!result.layers) result.layers = fleet.settings.layers;
  result.names = image_names(fleet, target, naming);
  return result;
}

std::vector<const TargetSpec*> with_linked_targets(const Fleet& fleet, const std::vector<const TargetSpec*>& wanted) {
  constexpr std::string_view kTarget = "target:";
  std::set<std::string> names;
  std::vector<const TargetSpec*> open_ends = wanted;
  while (!open_ends.empty()) {
    const TargetSpec* target = open_ends.back();
    open_ends.pop_back();
    if (!names.insert(target->name).second) continue;
    for (const auto& [name, value] : target->contexts) {
      if (!value.starts_with(kTarget)) continue;
      if (const TargetSpec* linked = fleet.find(value.substr(kTarget.size()))) open_ends.push_back(linked);
    }
  }
  std::vector<const TargetSpec*> result;
  for (const TargetSpec& target : fleet.targets) {
    if (names.count(target.name)) result.push_back(&target);
  }
  return result;
}

namespace {

// The target once for each of its platforms.
std::vector<TargetSpec> for_each_platform(TargetSpec target) {
  if (target.platforms.size() < 2) return {std::move(target)};
  std::vector<TargetSpec> targets;
  for (const oci::Platform& platform : target.platforms) {
    targets.push_back(target);
    targets.back().platforms = {platform};
  }
  return targets;
}

// An output's own compression is the one that its layers are compressed by when they are made.
void prefer_output_compression(Plan& plan) {
  for (const auto& planned : plan.targets) {
    TargetSpec& target = planned->target;
    for (const std::string& text : target.outputs) {
      try {
        const Output output = parse_output(text);
        if (output.compression) target.compression = output.compression;
        target.rewrites_times = target.rewrites_times || output.rewrite_timestamp;
      } catch (const Error&) {
        // It is refused where the target is wanted.
      }
    }
  }
}

}  // namespace

namespace {

// The plan, or everything that keeps the targets that are wanted from being in one: the mistakes of their definitions
// and those of the Dockerfiles together.
Plan plan_or_all_mistakes(const std::vector<TargetSpec>& targets, const FleetNames& names,
                          const std::vector<const TargetSpec*>& wanted,
                          const std::function<bool(const TargetSpec&)>& may_be_left_out) {
  std::vector<std::string> mistakes = problems_among(wanted);
  Plan plan;
  std::string detail;
  try {
    plan = make_plan(targets, names, may_be_left_out);
  } catch (const Error& error) {
    if (error.category() != Category::usage || mistakes.empty()) throw;
    mistakes.push_back(error.message());
    detail = error.detail();
  }
  if (!mistakes.empty()) throw Error(Category::usage, join(mistakes, "\n")).set_detail(detail);
  return plan;
}

// What is wanted cannot be built where what it is built from has a broken definition.
void refuse_broken_parents(const Plan& plan, const std::vector<const TargetSpec*>& wanted) {
  const bool is_any_broken = std::any_of(plan.targets.begin(), plan.targets.end(),
                                         [](const auto& planned) { return !planned->target.problems.empty(); });
  if (!is_any_broken) return;
  for (const TargetSpec* target : wanted) {
    std::set<std::size_t> numbers;
    for (std::size_t i = 0; i < plan.targets.size(); ++i) {
      if (plan.targets[i]->target.name == target->name) numbers.insert(i);
    }
    std::vector<const TargetSpec*> needed;
    for (const std::size_t number : plan.closure(numbers)) needed.push_back(&plan.targets[number]->target);
    with_context([&] { return fmt::format("which '{}' is built from", target->name); },
                 [&] { refuse_problems(needed); });
  }
}

}  // namespace

Plan plan_fleet(const Fleet& fleet, const std::vector<const TargetSpec*>& wanted, const NameValues& naming) {
  FleetNames names;
  names.registry_and_namespace = fleet.settings.registry_and_namespace();
  const bool is_definitions = fleet.front_end == FrontEnd::image_definitions;
  if (is_definitions) names.bare_names = BareNames::fleet_only;
  std::vector<TargetSpec> targets;
  const auto may_be_left_out = [&](const TargetSpec& target) {
    const auto is_it = [&](const TargetSpec* other) { return other->name == target.name; };
    return is_definitions && std::none_of(wanted.begin(), wanted.end(), is_it);
  };
  for (const TargetSpec* target : is_definitions ? all_targets(fleet) : with_linked_targets(fleet, wanted)) {
    TargetSpec complete = complete_target(fleet, *target, naming);
    if (!target->problems.empty()) {
      // Its own mistakes are known: what is read is to tell those of others.
      complete.dockerfile_text = "FROM scratch\n";
      complete.stage.clear();
    }
    for (const std::string& name : complete.names) names.tags.insert(oci::Reference::parse(name).tag_or_latest());
    for (TargetSpec& one : for_each_platform(std::move(complete))) targets.push_back(std::move(one));
  }
  Plan plan = plan_or_all_mistakes(targets, names, wanted, may_be_left_out);
  refuse_broken_parents(plan, wanted);
  inherit_settings(plan, fleet);
  prefer_output_compression(plan);
  check_gpu_services(plan, fleet);
  return plan;
}

std::optional<UnixSeconds> source_date_epoch(const std::map<std::string, std::string>& build_args) {
  const auto arg = build_args.find("SOURCE_DATE_EPOCH");
  const std::string text =
      arg != build_args.end() ? arg->second : environment_variable("SOURCE_DATE_EPOCH").value_or("");
  if (text.empty()) return std::nullopt;
  const auto seconds = parse_unsigned(text);
  if (!seconds)
    throw Error(Category::usage, fmt::format("SOURCE_DATE_EPOCH '{}' is not a number of seconds", printable(text)));
  return static_cast<UnixSeconds>(*seconds);
}

void apply_offline(BuildSettings& settings, Log& log) {
  settings.bases.offline = settings.offline;
  if (!settings.offline) return;
  if (settings.bases.pull) throw Error(Category::usage, "--offline and --pull exclude one another");
  const auto is_elsewhere = [](const CacheReference& place) { return place.type != CacheType::local; };
  std::set<std::string> left_out;
  for (const auto* places : {&settings.caches.from, &settings.caches.to}) {
    for (const CacheReference& place : *places) {
      if (is_elsewhere(place)) left_out.insert(without_url_credentials(place.place));
    }
  }
  for (const std::string& place : left_out)
    log.warn(fmt::format("--offline: the shared cache '{}' is neither read nor written", printable(place)));
  std::erase_if(settings.caches.from, is_elsewhere);
  std::erase_if(settings.caches.to, is_elsewhere);
}

BuildSettings fleet_build_settings(const Fleet& fleet, const std::string& ca_bundle) {
  BuildSettings settings;
  settings.times.epoch = source_date_epoch({});
  if (fleet.front_end == FrontEnd::image_definitions) {
    if (!settings.times.epoch) settings.times.epoch = kReproducibleEpoch;
    settings.context_modes = ContextModes::as_in_git;
    settings.bases.lock_file = fleet.settings.lock_file;
  }
  settings.runs.trust = find_build_trust(ca_bundle.empty() ? fleet.settings.ca_bundle : ca_bundle);
  settings.runs.host_proxies = host_proxies(environment_variable);
  return settings;
}

namespace {

void warn_of_unused(const CacheReference& reference, Log& log) {
  for (const std::string& key : reference.unused) {
    log.warn(fmt::format("--cache-from '{}': '{}' changes nothing there: it is for --cache-to",
                         printable(without_url_credentials(reference.place)), key));
  }
}

// Of all targets, each once, in their order.
std::vector<CacheReference> target_caches(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                                          CacheDirection direction, Log& log) {
  const bool is_definitions = fleet.front_end == FrontEnd::image_definitions;
  std::vector<CacheReference> references;
  std::set<std::string> seen;
  for (const TargetSpec* target : targets) {
    for (const std::string& text : direction == CacheDirection::from ? target->cache_from : target->cache_to) {
      if (!seen.insert(text).second) continue;
      try {
        references.push_back(parse_cache_reference(text, direction, is_definitions ? fleet.folder : fs::path()));
        warn_of_unused(references.back(), log);
      } catch (const Error& error) {
        if (fleet.front_end != FrontEnd::bake_file) throw;
        log.warn(fmt::format("target '{}': {}", target->name, error.message()));
      }
    }
  }
  return references;
}

std::vector<CacheReference> given_caches(const std::vector<std::string>& texts, CacheDirection direction, Log& log) {
  std::vector<CacheReference> references;
  for (const std::string& text : texts) {
    references.push_back(parse_cache_reference(text, direction));
    warn_of_unused(references.back(), log);
  }
  return references;
}

// A folder that the build itself is about to fill is not missed.
void warn_of_missing_folders(const CacheSettings& settings, Log& log) {
  for (const CacheReference& from : settings.from) {
    const auto is_written = [&](const CacheReference& to) { return to.type == from.type && to.place == from.place; };
    std::error_code failure;
    if (from.type != CacheType::local || fs::is_directory(from.place, failure) ||
        std::any_of(settings.to.begin(), settings.to.end(), is_written))
      continue;
    log.warn(fmt::format("--cache-from: there is no folder '{}', so nothing comes from it", printable(from.place)));
  }
}

}  // namespace

CacheSettings fleet_cache_settings(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                                   const GivenCaches& given, Log& log) {
  CacheSettings settings;
  settings.from = given.from.empty() ? target_caches(fleet, targets, CacheDirection::from, log)
                                     : given_caches(given.from, CacheDirection::from, log);
  settings.to = given.to.empty() ? target_caches(fleet, targets, CacheDirection::to, log)
                                 : given_caches(given.to, CacheDirection::to, log);
  settings.read_only = fleet.settings.cache_read_only;
  settings.sign_key = fleet.settings.cache_sign_key;
  settings.trust = fleet.settings.cache_trust;
  settings.share_mounts = fleet.settings.share_cache_mounts;
  add_cache_environment(settings);
  warn_of_missing_folders(settings, log);
  return settings;
}

AssemblyOptions assembly_options(const TargetSpec& target, const Output& output, const TimePolicy& times) {
  AssemblyOptions options;
  options.compression = output.compression.value_or(target.layer_compression());
  options.force_compression = output.force_compression;
  options.oci_media_types = output.oci_media_types;
  options.created = times.epoch;
  options.is_run_as_image = makes_image(output.type);
  if (target.platform_is_asked_for()) options.platform = target.platform();
  options.labels = target.labels;
  if (target.profile) {
    options.env = target.profile->env;
    for (const auto& [key, value] : profile_labels(*target.profile)) options.labels[key] = value;
  }
  options.annotations = annotations_at(output.annotations, AnnotationPlace::manifest, target.platform());
  return options;
}

ReportTargets fleet_goals(const Fleet& fleet) {
  const FleetGoals& goals = fleet.settings.goals;
  return {goals.reduction_min_pct, goals.reduction_max_pct, goals.cache_hit_pct, goals.build_seconds};
}

std::vector<TargetInputs> fleet_inputs(const Plan& plan, const std::set<std::size_t>& wanted,
                                       const BuildSettings& settings, const BuildSurroundings& surroundings) {
  ThreadPool pool;
  InputSettings inputs;
  inputs.kiln_version = surroundings.kiln_version;
  inputs.lock_file = settings.bases.lock_file;
  inputs.times = settings.times;
  inputs.modes = settings.context_modes;
  return inputs_of(plan, wanted, inputs, {pool, surroundings.cancel});
}

}  // namespace kiln
