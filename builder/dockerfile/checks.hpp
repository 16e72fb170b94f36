#pragma once

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

enum class RuleState {
  on,
  experimental,  // only where `# check=experimental=NAME` asks for it
};

// A lint rule is data; what finds it stands in one of the check_*.cpp.
struct Rule {
  std::string_view name;         // BuildKit's name where the rule is BuildKit's
  std::string_view description;  // one sentence
  std::string_view page;         // under docs/rules/
  RuleState state = RuleState::on;
};
const std::vector<Rule>& rules();

struct Finding {
  std::string rule;
  std::string message;
  LineRange lines;
};

// `skip=A,B;error=true;experimental=C`, the value of the check directive.
struct CheckSettings {
  std::set<std::string> skip;
  std::set<std::string> experimental;
  bool skip_all = false;
  bool experimental_all = false;
  bool error = false;
};
// Error{usage} for an unknown key or value; unknown rule names are kept.
CheckSettings parse_check_settings(std::string_view value);

struct CheckOptions {
  BuildArgs build_args;
  PlatformParts build_platform{"linux", "amd64", ""};
  PlatformParts target_platform{"linux", "amd64", ""};
  IgnoreMatcher ignore;
  std::string target;                     // --target; does not limit what is looked at
  std::optional<std::string> directive;  // overrides `# check=` (BUILDKIT_DOCKERFILE_CHECK does this)
};

struct CheckReport {
  std::vector<Finding> findings;  // by line, then rule
  std::optional<Error> error;     // the Dockerfile does not build; findings up to there are complete
  bool fails = false;             // findings count as errors (`error=true`)
};

CheckReport check(std::string_view text, std::string_view file_name, const CheckOptions& options = {});

}  // namespace kiln::dockerfile
