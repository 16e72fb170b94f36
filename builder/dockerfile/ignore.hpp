#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/pattern.hpp"

namespace kiln::dockerfile {

// The patterns of a .dockerignore: a byte-order mark is dropped, lines are trimmed and cleaned, '#' in the first
// column is a comment, a leading '/' is dropped.
std::vector<std::string> read_ignore_file(std::string_view text);

// moby's matching: patterns in order, the last one that matches a path or one of its parents decides; '!'
// re-includes. Paths are relative to the context's root, '/' between components, no leading './'. Immutable, so it
// may be used from any thread.
class IgnoreMatcher {
 public:
  IgnoreMatcher() = default;  // ignores nothing
  // Error{usage} for a malformed pattern.
  explicit IgnoreMatcher(const std::vector<std::string>& patterns);

  bool empty() const noexcept { return patterns_.empty(); }
  // True where the path is excluded, by itself or through a parent.
  bool ignores(std::string_view path) const;
  // For an ignored folder: whether a '!' pattern might re-include something below it, so that a walk must enter it.
  bool may_reinclude_below(std::string_view folder) const;

 private:
  struct Rule {
    std::string text;  // cleaned, without '!'
    bool negated = false;
    PathPattern pattern;
  };
  std::vector<Rule> patterns_;
  bool has_negation_ = false;
};

}  // namespace kiln::dockerfile
