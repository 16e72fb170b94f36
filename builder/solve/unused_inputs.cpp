#include "builder/solve/unused_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/variables.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

// What the instructions of a Dockerfile, and those that its bases bring along, ask for by name.
class AskedFor {
 public:
  AskedFor(const df::Dockerfile& dockerfile, const std::vector<std::string>& triggers) {
    for (const df::Instruction& instruction : dockerfile.global_args) take(instruction);
    for (const df::Stage& stage : dockerfile.stages) {
      for (const df::Instruction& instruction : stage.instructions) take(instruction);
    }
    for (const std::string& trigger : triggers) take_trigger(trigger);
  }

  const std::set<std::string>& args() const { return args_; }
  const std::set<std::string>& secrets() const { return secrets_; }
  // A mount whose name a variable hides may be of any secret.
  bool may_be_any_secret() const { return may_be_any_secret_; }

 private:
  void take(const df::Instruction& instruction) {
    if (const auto* arg = std::get_if<df::Arg>(&instruction.body)) {
      for (const df::ArgDefinition& definition : arg->definitions) args_.insert(definition.name);
    } else if (const auto* onbuild = std::get_if<df::Onbuild>(&instruction.body)) {
      take_trigger(onbuild->trigger);
    } else if (const auto* run = std::get_if<df::Run>(&instruction.body)) {
      for (const df::WrittenMount& mount : run->mounts) take_mount(mount);
    }
  }

  void take_trigger(const std::string& trigger) {
    try {
      take(df::parse_trigger(trigger, "an image"));
    } catch (const Error&) {
      may_be_any_secret_ = true;  // the stage itself fails there
    }
  }

  void take_mount(const df::WrittenMount& mount) {
    if (!mount.plain) {
      may_be_any_secret_ = true;
      return;
    }
    if (mount.plain->type != df::MountType::secret) return;
    const df::Mount& secret = *mount.plain;
    secrets_.insert(!secret.id.empty()       ? secret.id
                    : !secret.source.empty() ? secret.source
                                             : std::string(base_name(secret.target)));
  }

  std::set<std::string> args_;
  std::set<std::string> secrets_;
  bool may_be_any_secret_ = false;
};

bool is_read_by_the_builder(const std::string& name) {
  return name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" || df::is_proxy_arg(name);
}

bool is_of_the_platform(const std::string& name) {
  static const std::set<std::string> names = {"BUILDPLATFORM", "BUILDOS",        "BUILDARCH",
                                              "BUILDVARIANT",  "TARGETPLATFORM", "TARGETOS",
                                              "TARGETARCH",    "TARGETVARIANT",  "TARGETSTAGE"};
  return names.count(name) != 0;
}

std::string nearest_of(const std::string& name, const std::set<std::string>& known) {
  const auto near = nearest(name, {known.begin(), known.end()});
  return near ? fmt::format("; did you mean '{}'?", printable(*near)) : "";
}

}  // namespace

std::vector<std::string> unused_inputs(const PlannedTarget& target, const std::vector<std::string>& triggers) {
  const AskedFor asked(target.dockerfile, triggers);
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
    unused.push_back(fmt::format("{}: no ARG declares the build arg '{}'{}", place, printable(name),
                                 nearest_of(name, asked.args())));
  }
  if (asked.may_be_any_secret()) return unused;
  for (const SecretSource& secret : target.target.secrets) {
    if (asked.secrets().count(secret.id) != 0 || SourceSecrets::is_for_sources(secret.id)) continue;
    unused.push_back(fmt::format("{}: no RUN mounts the secret '{}'{}", place, printable(secret.id),
                                 nearest_of(secret.id, asked.secrets())));
  }
  return unused;
}

}  // namespace kiln
