#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// Go's filepath.Match on '/' paths: '*' and '?' do not cross a '/', [a-z] [^a-z], '\' escapes. The whole name must
// match. Error{usage} for a malformed pattern.
bool match_pattern(std::string_view pattern, std::string_view name);
bool has_wildcards(std::string_view pattern);  // any of * ? [ and, as docker counts it, '\'

// Go's filepath.Clean for '/' paths: "a//b/../c/." -> "a/c", "" -> ".".
std::string clean_path(std::string_view path);

// One pattern of moby's patternmatcher: filepath.Match plus `**` for any number of folders; a leading '!' is not
// part of it. Error{usage} for a malformed pattern.
class PathPattern {
 public:
  explicit PathPattern(std::string_view pattern);
  bool matches(std::string_view path) const;

 private:
  struct Token;
  enum class Kind : unsigned char { literal, any_char, star, double_star, double_star_slash, char_class };
  static bool match_from(const std::vector<Token>& tokens, std::size_t token, std::string_view path);
  std::vector<Token> tokens_;
};

}  // namespace kiln::dockerfile
