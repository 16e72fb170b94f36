#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/packages/package.hpp"

namespace kiln {

// Versions of a package, as people write them:
//
//   range      = alternative *( "|" alternative )
//   alternative = "*" / comparison *( "," comparison )
//   comparison = [ "=" / "==" / "!=" / "<" / "<=" / ">" / ">=" ] version
//
// "<2.0.7", ">=1.0,<1.4.2 | >=2.0,<2.0.7", "1.2.3". Spaces around what stands here do not count. compare_versions()
// says which version comes first. A value.
class VersionRange {
 public:
  // Error{usage} that says what is wrong.
  static VersionRange parse(std::string_view text);

  bool contains(Ecosystem ecosystem, std::string_view version) const;
  // What would be outside of it, for people: "2.0.7 or newer" of a range that has an end, else "a version outside of
  // '<range>'", and "" of all versions, which nothing is outside of.
  std::string way_out() const;
  const std::string& text() const noexcept { return text_; }

  bool operator==(const VersionRange&) const = default;

 private:
  enum class Operator { equal, not_equal, less, less_or_equal, more, more_or_equal };
  struct Comparison {
    Operator op = Operator::equal;
    std::string version;
    bool operator==(const Comparison&) const = default;
  };
  static Comparison parse_comparison(std::string_view text, std::string_view range);
  static bool holds(const Comparison& comparison, Ecosystem ecosystem, std::string_view version);

  std::string text_;
  std::vector<std::vector<Comparison>> alternatives_;  // an empty list of comparisons: every version
};

}  // namespace kiln
