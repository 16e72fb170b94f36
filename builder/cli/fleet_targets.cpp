#include "builder/cli/fleet_targets.hpp"

#include <fmt/format.h>

#include <set>

#include "base/error.hpp"
#include "base/process.hpp"
#include "builder/definitions/cuda_arch.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/dockerfile/text_file.hpp"

namespace kiln::cli {

namespace {

// Paths are shown as people would type them from where they are.
std::string shown(const fs::path& path) {
  const fs::path relative = path.lexically_proximate(fs::current_path());
  return relative.native().starts_with("../") ? path.native() : relative.native();
}

ProfileBinding bind_profile(const Profile& profile) {
  ProfileBinding binding;
  binding.name = profile.name;
  binding.values = profile.values;
  binding.build_args = profile_build_args(profile);
  binding.env = profile.env;
  binding.labels = profile_labels(profile);
  return binding;
}

// The CUDA arch list that a target's code was built for: its own, else the nearest ancestor's.
const Cuda* cuda_of(const Plan& plan, const Fleet& fleet, std::size_t number) {
  const Target* target = fleet.find(plan.targets[number]->target.name);
  if (target && target->cuda) return &*target->cuda;
  for (const std::size_t parent : plan.targets[number]->fleet_parents) {
    if (const Cuda* cuda = cuda_of(plan, fleet, parent)) return cuda;
  }
  return nullptr;
}

void check_gpu_services(const Plan& plan, const Fleet& fleet) {
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const Target* target = fleet.find(plan.targets[i]->target.name);
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

// Children inherit their parent's compression where they say nothing.
void inherit_compression(Plan& plan, const Fleet& fleet) {
  for (const std::size_t number : plan.order()) {
    const Target* target = fleet.find(plan.targets[number]->target.name);
    if (!target || target->compression) continue;
    const NameMeaning* base = &plan.targets[number]->bases[plan.targets[number]->final_stage];
    while (const auto* stage = std::get_if<StageBase>(base)) base = &plan.targets[number]->bases[stage->stage];
    if (const auto* parent = std::get_if<FleetBase>(base)) {
      plan.targets[number]->target.compression = plan.targets[parent->target]->target.compression;
    }
  }
}

}  // namespace

BuildTarget build_target_of(const Fleet& fleet, const Target& target, const Publishing& publishing) {
  BuildTarget result;
  result.name = target.name;
  result.image = target.image;
  if (target.profile) {
    result.profile = bind_profile(*target.profile);
    result.args = result.profile->build_args;
  }
  for (const auto& [name, value] : target.args) result.args[name] = value;
  if (target.dockerfile_inline) {
    result.dockerfile_text = *target.dockerfile_inline;
    result.dockerfile_name = shown(target.definition) + " (inline)";
  } else if (target.dockerfile) {
    result.dockerfile_text = read_file(*target.dockerfile);
    result.dockerfile_name = shown(*target.dockerfile);
  } else {
    result.dockerfile_text = "FROM debian\n";
    result.dockerfile_name = shown(target.definition);
  }
  if (!target.remote_context.empty()) {
    throw Error(Category::usage, fmt::format("target '{}': context '{}' is remote; check it out and name the folder",
                                             target.name, target.remote_context));
  }
  result.context = target.context;
  if (auto ignore = dockerfile::read_ignore_file_of(target.dockerfile, target.context)) {
    result.ignore_text = std::move(ignore->text);
    result.ignore_name = shown(ignore->name);
  }
  result.contexts = target.contexts;
  result.stage = target.stage;
  result.labels = target.labels;
  const auto& platforms = target.platforms.empty() ? fleet.settings.platforms : target.platforms;
  if (platforms.size() > 1)
    throw Error(Category::usage, fmt::format("target '{}': one platform at a time", target.name));
  if (!platforms.empty()) result.platform = platforms.front();
  result.platform_is_asked_for = !platforms.empty();
  result.compression = target.compression.value_or(fleet.settings.compression.value_or(Compression{}));
  result.no_cache = target.no_cache;
  result.no_cache_stages = target.no_cache_stages;
  result.size_limit_bytes = target.size_limit_bytes;
  result.network = target.network;
  for (const TargetSecret& secret : target.secrets)
    result.secrets.push_back({secret.id, secret.file, secret.environment});
  for (const TargetSsh& ssh : target.ssh) result.ssh.push_back({ssh.id, ssh.paths});
  if (target.debian) {
    result.debian = DebianRequest{target.image,
                                  target.debian->suite,
                                  target.debian->variant,
                                  target.debian->include,
                                  target.debian->components,
                                  target.debian->mirror,
                                  target.debian->security_mirror,
                                  shown(target.definition)};
  }
  result.names = image_names(fleet, target, {publishing.registry, publishing.date, publishing.git});
  return result;
}

std::vector<const Target*> all_targets(const Fleet& fleet) {
  std::vector<const Target*> all;
  for (const Target& target : fleet.targets) all.push_back(&target);
  return all;
}

namespace {

// The wanted targets of a bake file and, over and over, those that their contexts name; in the fleet's order.
std::vector<const Target*> with_linked_targets(const Fleet& fleet, const std::vector<const Target*>& wanted) {
  constexpr std::string_view kTarget = "target:";
  std::set<std::string> names;
  std::vector<const Target*> open_ends = wanted;
  while (!open_ends.empty()) {
    const Target* target = open_ends.back();
    open_ends.pop_back();
    if (!names.insert(target->name).second) continue;
    for (const auto& [name, value] : target->contexts) {
      if (!value.starts_with(kTarget)) continue;
      if (const Target* linked = fleet.find(value.substr(kTarget.size()))) open_ends.push_back(linked);
    }
  }
  std::vector<const Target*> result;
  for (const Target& target : fleet.targets) {
    if (names.count(target.name)) result.push_back(&target);
  }
  return result;
}

}  // namespace

Plan plan_fleet(const Fleet& fleet, const std::vector<const Target*>& wanted, const Publishing& publishing) {
  FleetNames names;
  names.registry_and_namespace = fleet.settings.registry_and_namespace();
  const bool is_definitions = fleet.front_end == FrontEnd::image_definitions;
  if (is_definitions) names.bare_names = BareNames::fleet_only;
  std::vector<BuildTarget> targets;
  for (const Target* target : is_definitions ? all_targets(fleet) : with_linked_targets(fleet, wanted)) {
    targets.push_back(build_target_of(fleet, *target, publishing));
    for (const std::string& name : targets.back().names) names.tags.insert(oci::Reference::parse(name).tag_or_latest());
  }
  Plan plan = make_plan(std::move(targets), names);
  inherit_compression(plan, fleet);
  check_gpu_services(plan, fleet);
  return plan;
}

SessionSettings fleet_session_settings(const Fleet& fleet, const std::string& ca_bundle) {
  SessionSettings settings;
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

// Of all targets, each once, in their order.
std::vector<CacheReference> target_caches(const Fleet& fleet, const std::vector<const Target*>& targets,
                                          CacheDirection direction, Log& log) {
  const bool is_definitions = fleet.front_end == FrontEnd::image_definitions;
  std::vector<CacheReference> references;
  std::set<std::string> seen;
  for (const Target* target : targets) {
    for (const std::string& text : direction == CacheDirection::from ? target->cache_from : target->cache_to) {
      if (!seen.insert(text).second) continue;
      try {
        references.push_back(parse_cache_reference(text, direction, is_definitions ? fleet.folder : fs::path()));
      } catch (const Error& error) {
        if (is_definitions) throw;
        log.warn(fmt::format("target '{}': {}", target->name, error.message()));
      }
    }
  }
  return references;
}

std::vector<CacheReference> given_caches(const std::vector<std::string>& texts, CacheDirection direction) {
  std::vector<CacheReference> references;
  for (const std::string& text : texts) references.push_back(parse_cache_reference(text, direction));
  return references;
}

}  // namespace

CacheSettings fleet_cache_settings(const Fleet& fleet, const std::vector<const Target*>& targets,
                                   const std::vector<std::string>& from, const std::vector<std::string>& to, Log& log) {
  CacheSettings settings;
  settings.from = from.empty() ? target_caches(fleet, targets, CacheDirection::from, log)
                               : given_caches(from, CacheDirection::from);
  settings.to =
      to.empty() ? target_caches(fleet, targets, CacheDirection::to, log) : given_caches(to, CacheDirection::to);
  settings.read_only = fleet.settings.cache_read_only;
  settings.sign_key = fleet.settings.cache_sign_key;
  settings.trust = fleet.settings.cache_trust;
  settings.share_mounts = fleet.settings.share_cache_mounts;
  add_cache_environment(settings);
  return settings;
}

AssemblyOptions fleet_assembly_options(const BuildTarget& target, const TimePolicy& times) {
  AssemblyOptions options;
  if (target.platform_is_asked_for) options.platform = target.platform;
  options.compression = target.compression;
  options.created = times.epoch;
  options.labels = target.labels;
  if (target.profile) {
    options.env = target.profile->env;
    for (const auto& [key, value] : target.profile->labels) options.labels[key] = value;
  }
  return options;
}

ReportTargets fleet_report_targets(const Fleet& fleet) {
  const FleetGoals& goals = fleet.settings.goals;
  ReportTargets targets;
  targets.reduction_pct_min = goals.reduction_min_pct.value_or(targets.reduction_pct_min);
  targets.reduction_pct_max = goals.reduction_max_pct.value_or(targets.reduction_pct_max);
  targets.cache_hit_pct = goals.cache_hit_pct.value_or(targets.cache_hit_pct);
  targets.build_seconds = goals.build_seconds.value_or(targets.build_seconds);
  return targets;
}

}  // namespace kiln::cli
