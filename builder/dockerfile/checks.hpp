#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "builder/dockerfile/ast.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/variables.hpp"

namespace kiln::dockerfile {

enum class RuleOrigin {
  buildkit,  // docker's own rules, under their names and with their messages
  kiln,      // what makes images big, slow or unsafe; never fails a build
};
enum class RuleState {
  on,
  experimental,  // only where `# check=experimental=NAME` asks for it
};

// A lint rule is data; what finds it stands in one of the check_*.cpp (InvalidBaseImagePlatform
// needs the base image, so only a build finds it).
struct Rule {
  std::string_view name;
  std::string_view description;  // one sentence
  std::string_view page;         // in the repository
  RuleOrigin origin = RuleOrigin::buildkit;
  RuleState state = RuleState::on;
  // Of kiln's own rules; builds tell all of BuildKit's. One whose finding cannot be taken back once an image is pushed.
  bool is_told_by_builds = false;
};
const std::vector<Rule>& rules();
const Rule* find_rule(std::string_view name);  // ignoring case; nullptr where there is none

struct Finding {
  std::string rule;
  std::string message;
  LineRange lines;
  bool operator==(const Finding&) const = default;
};

// `skip=A,B;error=true;experimental=C`, the value of a check directive. Names in lower case.
struct CheckSettings {
  std::set<std::string> skip;
  std::set<std::string> experimental;
  bool skip_all = false;
  bool experimental_all = false;
  bool error = false;

  bool enables(const Rule& rule) const;
};
// Error{usage} for an unknown key or value; unknown rule names are kept.
CheckSettings parse_check_settings(std::string_view value);

struct CheckOptions {
  BuildArgs build_args;  // BUILDKIT_DOCKERFILE_CHECK among them replaces the file's directive
  PlatformParts build_platform{"linux", "amd64", ""};
  PlatformParts target_platform{"linux", "amd64", ""};
  IgnoreMatcher ignore;
  std::string target;  // --target: which stage the rules about the finished image look at; the last one where empty
  // Environment entries of a base image, nullopt where they are not known: then undefined variables of stages
  // on it are not reported. Without this function every base image counts as one that sets PATH alone.
  std::function<std::optional<std::vector<std::string>>(const std::string& image)> base_environment;
  // The platforms that a stage's base image should have and has, where they differ; for InvalidBaseImagePlatform.
  struct PlatformMismatch {
    std::string expected;  // "linux/arm64"
    std::string actual;
  };
  std::function<std::optional<PlatformMismatch>(std::size_t stage)> base_mismatch;
  // Of a build: the stages that are built. Rules about the insides of stages look at these only; nullopt: at all.
  std::optional<std::set<std::size_t>> built_stages;
  // Names of images that are built together with this one: a FROM on them needs no tag.
  std::set<std::string> fleet_images;
  // ARGs whose value differs between the machines an image is built for.
  std::set<std::string> profile_args{"MACHINE", "MACHINE_PROFILE"};
};

struct CheckReport {
  std::vector<Finding> findings;  // by line
  std::optional<Error> error;     // the Dockerfile does not build; findings up to there are complete
  LineRange error_lines;
  bool fails = false;  // `error=true`, and one of BuildKit's rules found something
  // What the directive asks for and there is not: rules of skip= and experimental=. One sentence each, with its place.
  std::vector<std::string> notes;
};

// Looks at all stages, built or not, unless the options name those that are.
CheckReport check(std::string_view text, std::string_view file_name, const CheckOptions& options = {});

}  // namespace kiln::dockerfile
