#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/pattern.hpp"

namespace kiln::dockerfile {

struct IgnoreLine {
  std::string pattern;
  int number = 0;
};

// The patterns of a .dockerignore: a byte-order mark is dropped, lines are trimmed and cleaned, '#' in the
// first column is a comment, a leading '/' is dropped.
std::vector<IgnoreLine> ignore_lines(std::string_view text);

class IgnoreMatcher;

// All of them as a matcher; what is wrong is Error{usage} with the file's name and line.
IgnoreMatcher read_ignore_rules(std::string_view text, std::string_view file_name);

// moby's matching: patterns in order, a '!' re-includes what earlier ones excluded, and what a pattern says
// of a folder holds for what is below it. Paths are relative to the context's root, '/' between components,
// without leading './' and without trailing '/'. Immutable, so it may be used from any thread. --exclude uses
// it too.
class IgnoreMatcher {
 public:
  // What the patterns said of a folder, one entry a pattern; a walk hands it on to the folder's entries.
  // Empty for the root.
  using State = std::vector<char>;

  IgnoreMatcher() = default;  // ignores nothing
  // Error{usage} for a malformed pattern.
  explicit IgnoreMatcher(const std::vector<std::string>& patterns);

  bool empty() const noexcept { return rules_.empty(); }

  // For a walk: whether `path` is excluded, given the state of its folder; `own` becomes its own state.
  bool ignores(std::string_view path, const State& folder, State& own) const;
  // The same for a path out of the blue.
  bool ignores(std::string_view path) const;

  // For an ignored folder: whether a '!' pattern might re-include something below it, so that a walk must
  // enter it.
  // "" is the root.
  bool may_reinclude_below(std::string_view folder) const;

 private:
  friend IgnoreMatcher read_ignore_rules(std::string_view text, std::string_view file_name);
  void add(std::string_view written);

  struct Rule {
    PathPattern pattern;
    bool negated = false;
    std::string fixed_prefix;  // of the pattern, up to its first special character
  };
  std::vector<Rule> rules_;
};

}  // namespace kiln::dockerfile
