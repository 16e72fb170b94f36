#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/target_parts.hpp"

namespace kiln {

// One --set of `docker buildx bake`: PATTERN.KEY[.NAME][+]=VALUE. The pattern is a target's name or a glob.
struct Override {
  std::string text;  // as it was given
  std::string pattern;
  std::string key;   // "args", "tags", "context", ...
  std::string name;  // of args, labels, contexts
  std::string value;
  bool appends = false;
};

using EnvironmentLookup = std::function<std::optional<std::string>(const std::string&)>;

// Error{usage} for a wrong shape, for an unknown key (with the nearest), and for a key of buildx that kiln does not
// honour (with the reason). `args.NAME` without a value takes the environment's; nullopt where it has none.
std::optional<Override> parse_override(std::string_view text, const EnvironmentLookup& environment);

// Error{usage} where an override's pattern matches none of the names.
void check_override_patterns(const std::vector<Override>& overrides, const std::vector<std::string>& names);

// Says in `parts` what the overrides that match one of a target's names say. Several values for one list are all kept;
// the first of them replaces the list unless it was given with '+'.
void override_parts(TargetParts& parts, const std::vector<std::string>& names, const std::vector<Override>& overrides);

// The same for targets that are complete already; a pattern may be an image's name too, for all its profiles. New
// `tags` take the place of templates.
void override_targets(std::vector<TargetSpec>& targets, const std::vector<Override>& overrides,
                      const fs::path& working_directory);

}  // namespace kiln
