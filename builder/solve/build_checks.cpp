#include "builder/solve/build_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "builder/dockerfile/checks.hpp"
#include "builder/dockerfile/expansion.hpp"
#include "builder/solve/unused_flags.hpp"
#include "builder/solve/unused_inputs.hpp"

namespace kiln {

namespace df = dockerfile;

namespace {

// The base images of one target, as far as they can be known before the build.
class KnownBases {
 public:
  KnownBases(const PlannedTarget& target, BaseSource& bases, const std::set<std::size_t>& needed) : target_(target) {
    for (const std::size_t stage : needed) {
      const NameMeaning& base = target.bases[stage];
      try {
        if (const auto* image = std::get_if<ImageBase>(&base)) {
          configs_.emplace(
              stage, bases.image(image->reference, platform_of_base(target_, stage), pull_of(target_.target)).config);
        } else if (const auto* layout = std::get_if<LayoutBase>(&base)) {
          configs_.emplace(stage, bases.layout(*layout, platform_of_base(target_, stage)).config);
        }
      } catch (const Error&) {
        continue;  // the stage itself fails there, with the line
      }
    }
  }

  std::optional<std::vector<std::string>> environment(const std::string& name) const {
    for (const auto& [stage, config] : configs_) {
      if (name_of(stage) == name) return config.config.env;
    }
    return std::nullopt;
  }

  std::vector<std::string> triggers() const {
    std::vector<std::string> all;
    for (const auto& [stage, config] : configs_) {
      all.insert(all.end(), config.config.on_build.begin(), config.config.on_build.end());
    }
    return all;
  }

  // An image that a named context refers to is not checked.
  std::optional<df::CheckOptions::PlatformMismatch> mismatch(std::size_t stage) const {
    const auto config = configs_.find(stage);
    if (config == configs_.end() || !std::holds_alternative<ImageBase>(target_.bases[stage])) return std::nullopt;
    if (target_.target.contexts.count(name_of(stage)) != 0) return std::nullopt;
    const oci::Platform& has = config->second.platform;
    const oci::Platform expected = platform_of_base(target_, stage);
    if (has.architecture.empty() || (has.os == expected.os && has.architecture == expected.architecture))
      return std::nullopt;
    return df::CheckOptions::PlatformMismatch{expected.str(), has.shown()};
  }

 private:
  std::string name_of(std::size_t stage) const {
    return target_.scope->expand(target_.dockerfile.stages[stage].base_name).text;
  }

  const PlannedTarget& target_;
  std::map<std::size_t, oci::ImageConfig> configs_;
};

}  // namespace

bool findings_are_errors(const PlannedTarget& target) {
  const auto given = target.scope->build_args().find("BUILDKIT_DOCKERFILE_CHECK");
  const auto& directive = target.dockerfile.directives.check;
  if (given != target.scope->build_args().end()) return df::parse_check_settings(given->second).error;
  return directive && df::parse_check_settings(directive->value).error;
}

void check_target(const PlannedTarget& target, BaseSource& bases, BuildObserver& observer,
                  std::set<std::string>& told) {
  const std::set<std::size_t> needed = needed_stages(target);
  const KnownBases known(target, bases, needed);
  df::CheckOptions options;
  options.build_args = target.scope->build_args();
  options.build_platform = parts_of(oci::Platform::host());
  options.target_platform = parts_of(target.target.platform());
  options.ignore = df::read_ignore_rules(target.target.ignore_text.value_or(""), target.target.ignore_name);
  options.target = target.target.stage;
  options.built_stages = needed;
  options.base_environment = [&](const std::string& name) { return known.environment(name); };
  options.base_mismatch = [&](std::size_t stage) { return known.mismatch(stage); };
  for (const auto& sentences : {unused_inputs(target, known.triggers()), unused_flags(target.dockerfile)}) {
    for (const std::string& text : sentences) {
      if (told.insert(text).second) observer.warn(text);
    }
  }
  const df::CheckReport report = df::check(target.target.dockerfile_text, target.target.dockerfile_name, options);

  for (const std::string& note : report.notes) {
    if (told.insert(note).second) observer.warn(note);
  }
  std::vector<std::string> violated;
  for (const df::Finding& finding : report.findings) {
    const df::Rule& rule = *df::find_rule(finding.rule);
    const bool is_buildkits = rule.origin == df::RuleOrigin::buildkit;
    if (!is_buildkits && !rule.is_told_by_builds) continue;
    if (is_buildkits && std::find(violated.begin(), violated.end(), finding.rule) == violated.end())
      violated.push_back(finding.rule);
    const std::string text = fmt::format("{}:{}: {}: {}", printable(target.target.dockerfile_name), finding.lines.first,
                                         finding.rule, printable(finding.message));
    if (told.insert(text).second) observer.warn(text);
  }
  if (!report.fails) return;
  throw Error(
      Category::build,
      fmt::format(
          "{}: lint violation found for rules: {}; 'kiln check' shows them, and '# check=skip={}' passes over them",
          printable(target.target.dockerfile_name), join(violated, ", "), join(violated, ",")));
}

}  // namespace kiln
