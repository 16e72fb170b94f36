#include "builder/solve/unused_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/dockerfile/expansion.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/variables.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/steps/git_source.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

constexpr const char* kDefaultAgent = "default";

// What the instructions of a Dockerfile, and those that its bases bring along, ask for by name.
class AskedFor {
 public:
  AskedFor(const PlannedTarget& target, const std::vector<std::string>& triggers) {
    for (const df::Instruction& instruction : target.dockerfile.global_args) take(instruction);
    for (const df::Stage& stage : target.dockerfile.stages) {
      take_base(target, stage);
      for (const df::Instruction& instruction : stage.instructions) take(instruction);
    }
    for (const std::string& trigger : triggers) take_trigger(trigger);
    for (const FetchedContext& context : target.target.fetched_from) take_source(context.source);
  }

  const std::set<std::string>& args() const { return args_; }
  const std::set<std::string>& secrets() const { return secrets_; }
  const std::set<std::string>& agents() const { return agents_; }
  // Images, stages and contexts, as they are spelt.
  const std::set<std::string>& names() const { return names_; }
  // A mount whose name a variable hides may be of any secret or agent.
  bool may_be_any_mount() const { return may_be_any_mount_; }
  bool may_be_any_name() const { return may_be_any_name_; }
  bool may_have_run() const { return may_have_run_; }
  // Whether something is fetched that a secret for sources may be for.
  bool fetches_with(const std::string& secret) const {
    if (may_be_any_source_) return true;
    return std::any_of(sources_.begin(), sources_.end(),
                       [&](const std::string& source) { return SourceSecrets::is_for(secret, source); });
  }

 private:
  void take_base(const PlannedTarget& target, const df::Stage& stage) {
    try {
      names_.insert(target.scope->expand(stage.base_name).text);
    } catch (const Error&) {
      may_be_any_name_ = true;  // a stage that is not built, or that fails there
    }
  }

  void take(const df::Instruction& instruction) {
    for (const std::string& name : df::names_read(instruction)) names_.insert(name);
    if (const auto* add = std::get_if<df::Add>(&instruction.body)) {
      for (const std::string& source : add->paths) take_source(source);
    }
    if (const auto* arg = std::get_if<df::Arg>(&instruction.body)) {
      for (const df::ArgDefinition& definition : arg->definitions) args_.insert(definition.name);
    } else if (const auto* onbuild = std::get_if<df::Onbuild>(&instruction.body)) {
      take_trigger(onbuild->trigger);
    } else if (const auto* run = std::get_if<df::Run>(&instruction.body)) {
      may_have_run_ = true;
      for (const df::WrittenMount& mount : run->mounts) take_mount(mount);
    }
  }

  void take_trigger(const std::string& trigger) {
    try {
      take(df::parse_trigger(trigger, "an image"));
    } catch (const Error&) {
      // The stage itself fails there.
      may_be_any_mount_ = may_be_any_name_ = may_be_any_source_ = may_have_run_ = true;
    }
  }

  // git fetches by SSH with the agent of its caller, which is what `--ssh default` means.
  void take_source(const std::string& source) {
    if (df::has_variable(source)) {
      agents_.insert(kDefaultAgent);
      may_be_any_source_ = true;
      return;
    }
    try {
      if (is_reached_by_ssh(source)) agents_.insert(kDefaultAgent);
      if (is_http_url(source)) Url::parse(without_user(source));
    } catch (const Error&) {
      return;  // its step fails there
    }
    sources_.insert(source);
  }

  void take_mount(const df::WrittenMount& mount) {
    if (!mount.plain) {
      may_be_any_mount_ = true;
      return;
    }
    if (mount.plain->type == df::MountType::ssh)
      agents_.insert(mount.plain->id.empty() ? kDefaultAgent : mount.plain->id);
    if (mount.plain->type != df::MountType::secret) return;
    const df::Mount& secret = *mount.plain;
    secrets_.insert(!secret.id.empty()       ? secret.id
                    : !secret.source.empty() ? secret.source
                                             : std::string(base_name(secret.target)));
  }

  std::set<std::string> args_;
  std::set<std::string> secrets_;
  std::set<std::string> agents_;
  std::set<std::string> names_;
  bool may_be_any_mount_ = false;
  bool may_be_any_name_ = false;
  bool may_be_any_source_ = false;
  bool may_have_run_ = false;
  std::set<std::string> sources_;  // of ADD, and what contexts were fetched from
};

bool is_read_by_the_builder(const std::string& name) {
  static const std::set<std::string> names = {"BUILDKIT_CONTEXT_KEEP_GIT_DIR", "BUILDKIT_DOCKERFILE_CHECK",
                                              "BUILDKIT_SYNTAX", "SOURCE_DATE_EPOCH"};
  return names.count(name) != 0 || df::is_proxy_arg(name);
}

// BuildKit's own build args that kiln has no use for, with what to say instead.
std::string reason_of_unread(const std::string& name) {
  if (name == "BUILDKIT_INLINE_CACHE") return ": no cache fits into an image's config; use --cache-to type=registry";
  if (name == "BUILDKIT_MULTI_PLATFORM") return ": several platforms always make an index, one does not";
  return ", which is BuildKit's";
}

bool is_of_the_platform(const std::string& name) {
  static const std::set<std::string> names = {"BUILDPLATFORM", "BUILDOS",        "BUILDARCH",
                                              "BUILDVARIANT",  "TARGETPLATFORM", "TARGETOS",
                                              "TARGETARCH",    "TARGETVARIANT",  "TARGETSTAGE"};
  return names.count(name) != 0;
}

// A name may be a URL by mistake.
std::string shown(const std::string& name) { return without_url_credentials(printable(name)); }

std::string nearest_of(const std::string& name, const std::set<std::string>& known) {
  return near_hint(name, {known.begin(), known.end()});
}

std::set<std::string> names_of_stages(const df::Dockerfile& dockerfile) {
  std::set<std::string> names;
  for (const df::Stage& stage : dockerfile.stages) {
    if (!stage.name.empty()) names.insert(to_lower(stage.name));
  }
  return names;
}

std::vector<std::string> unnamed_contexts(const PlannedTarget& target, const AskedFor& asked) {
  if (asked.may_be_any_name()) return {};
  std::set<std::string> keys;
  for (const std::string& name : asked.names()) keys.insert(context_key(name));
  std::vector<std::string> unnamed;
  for (const auto& [name, value] : target.target.contexts) {
    if (keys.count(context_key(name)) == 0) unnamed.push_back(name);
  }
  return unnamed;
}

// What a target says of its RUNs, as bake files call it.
std::vector<std::string> settings_of_runs(const TargetSpec& target) {
  std::vector<std::string> settings;
  if (target.network) settings.emplace_back("network");
  if (!target.extra_hosts.empty()) settings.emplace_back("extra-hosts");
  if (!target.ulimits.empty()) settings.emplace_back("ulimits");
  if (!target.shm_size.empty()) settings.emplace_back("shm-size");
  return settings;
}

}  // namespace

std::vector<std::string> unused_inputs(const PlannedTarget& target, const std::vector<std::string>& triggers) {
  const AskedFor asked(target, triggers);
  // By image, so that what its profiles have in common is told once.
  const std::string place = target.target.image.empty() ? printable(target.target.dockerfile_name)
                                                        : fmt::format("target '{}': {}", printable(target.target.image),
                                                                      printable(target.target.dockerfile_name));
  const auto profile_args =
      target.target.profile ? profile_build_args(*target.target.profile) : std::map<std::string, std::string>();
  std::vector<std::string> unused;
  for (const auto& [name, value] : target.target.args) {
    if (asked.args().count(name) != 0 || profile_args.count(name) != 0 || is_read_by_the_builder(name) ||
        is_of_the_platform(name))
      continue;
    if (name.starts_with("BUILDKIT_")) {
      unused.push_back(
          fmt::format("{}: kiln does not read the build arg '{}'{}", place, shown(name), reason_of_unread(name)));
      continue;
    }
    unused.push_back(
        fmt::format("{}: no ARG declares the build arg '{}'{}", place, shown(name), nearest_of(name, asked.args())));
  }
  for (const std::string& name : unnamed_contexts(target, asked)) {
    unused.push_back(fmt::format("{}: no FROM, COPY or RUN names the build context '{}'{}", place, shown(name),
                                 nearest_of(name, asked.names())));
  }
  if (target.target.debian && !asked.may_be_any_name() && asked.names().count("debian") == 0) {
    unused.push_back(fmt::format(
        "{}: no FROM, COPY or RUN names 'debian', so the packages of \"debian\" are not in the image", place));
  }
  const std::set<std::string> stages = names_of_stages(target.dockerfile);
  for (const std::string& stage : target.target.no_cache_stages) {
    if (stages.count(to_lower(stage)) != 0) continue;
    unused.push_back(
        fmt::format("{}: no-cache-filter '{}' names no stage{}", place, shown(stage), nearest_of(stage, stages)));
  }
  const std::vector<std::string> settings = settings_of_runs(target.target);
  if (!settings.empty() && !asked.may_have_run())
    unused.push_back(fmt::format("{}: there is no RUN, which is what {} is for", place, join(settings, ", ")));
  if (asked.may_be_any_mount()) return unused;
  for (const SecretSource& secret : target.target.secrets) {
    if (asked.secrets().count(secret.id) != 0) continue;
    if (SourceSecrets::is_for_sources(secret.id)) {
      if (!asked.fetches_with(secret.id))
        unused.push_back(fmt::format("{}: no source is {} the secret '{}' is for", place,
                                     secret.id.starts_with("GIT_") ? "a git repository, which" : "at the host that",
                                     shown(secret.id)));
      continue;
    }
    unused.push_back(fmt::format("{}: no RUN mounts the secret '{}'{}", place, shown(secret.id),
                                 nearest_of(secret.id, asked.secrets())));
  }
  for (const SshForward& agent : target.target.ssh) {
    if (asked.agents().count(agent.id) != 0) continue;
    unused.push_back(fmt::format("{}: no RUN mounts the SSH agent '{}'{}", place, shown(agent.id),
                                 nearest_of(agent.id, asked.agents())));
  }
  return unused;
}

}  // namespace kiln
