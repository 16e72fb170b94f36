#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln::dockerfile {

// A part of a compiled pattern.
struct PatternToken {
  enum class Kind : unsigned char {
    literal,    // one character
    any_char,   // ?
    star,       // *
    folders,    // ** before something: nothing, or anything up to and with a '/'
    rest,       // ** at the end
    char_class  // [...]
  };
  Kind kind = Kind::literal;
  char32_t character = 0;
  bool negated = false;
  std::vector<std::pair<char32_t, char32_t>> ranges = {};
};

// Go's filepath.Match on '/' paths: '*' and '?' do not cross a '/', [a-z] [^a-z], '\' escapes. The whole name
// must match. Error{usage} for a malformed pattern and for one of more than 4096 bytes. Immutable.
class NamePattern {
 public:
  explicit NamePattern(std::string_view pattern);
  bool matches(std::string_view name) const;

 private:
  std::vector<PatternToken> tokens_;
};

// The same for one name.
bool match_pattern(std::string_view pattern, std::string_view name);

// Whether docker looks for matches of a COPY source instead of the path itself: an unescaped * ? or [.
bool has_wildcards(std::string_view pattern);

// One pattern of a .dockerignore or of --exclude, as moby's patternmatcher reads it: filepath.Match plus `**`
// for any number of folders (and what follows moby's own ways: a leading `**` directly before text matches
// any ending). Without the '!'. Error{usage} for a malformed pattern and for one of more than 4096
// bytes. Immutable; time to match is bounded by pattern times path.
class PathPattern {
 public:
  explicit PathPattern(std::string_view pattern);

  const std::string& text() const noexcept { return text_; }
  // The path as it is; see IgnoreMatcher for what a pattern means for the contents of a folder.
  bool matches(std::string_view path) const;

 private:
  enum class Shape { exact, prefix, suffix, general };
  std::string text_;
  std::string fixed_;  // what exact, prefix and suffix compare with
  std::string head_;   // literal ends of a general pattern: most paths are refused by them
  std::string tail_;
  Shape shape_ = Shape::exact;
  std::vector<PatternToken> tokens_;
};

}  // namespace kiln::dockerfile
