#include "builder/definitions/hcl/pattern_compiler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::hcl {

namespace {

using Opcode = Pattern::Instruction::Kind;
using Ranges = std::vector<Pattern::CharacterRange>;
using Code = std::vector<Pattern::Instruction>;

constexpr std::size_t kMaxProgram = 20'000;
constexpr std::size_t kMaxRepeat = 1000;
constexpr int kMaxPatternDepth = 100;
constexpr std::uint32_t kLast = 0x10FFFF;
constexpr std::size_t kNoBound = static_cast<std::size_t>(-1);

void append(Code& into, const Code& code) {
  const std::size_t base = into.size();
  for (Pattern::Instruction instruction : code) {
    if (instruction.kind != Opcode::match) instruction.next += base;
    if (instruction.kind == Opcode::split) instruction.other += base;
    into.push_back(std::move(instruction));
  }
  if (into.size() > kMaxProgram) throw ValueError("the pattern is too large");
}

Ranges negated(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Ranges result;
  std::uint32_t next = 0;
  for (const auto& range : ranges) {
    if (range.first > next) result.push_back({next, range.first - 1});
    next = std::max(next, range.last + 1);
  }
  if (next <= kLast) result.push_back({next, kLast});
  return result;
}

Ranges both_cases(Ranges ranges) {
  const std::size_t count = ranges.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto [first, last] = ranges[i];
    const auto add = [&, first = first, last = last](std::uint32_t low, std::uint32_t high, int shift) {
      const std::uint32_t begin = std::max(first, low), end = std::min(last, high);
      if (begin <= end) {
        ranges.push_back({begin + static_cast<std::uint32_t>(shift), end + static_cast<std::uint32_t>(shift)});
      }
    };
    add('a', 'z', -32);
    add('A', 'Z', 32);
  }
  return ranges;
}

Ranges class_of(char letter) {
  switch (letter) {
    case 'd':
      return {{'0', '9'}};
    case 'w':
      return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    case 's':
      return {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
    case 'D':
    case 'W':
    case 'S':
      return negated(class_of(static_cast<char>(letter + 32)));
    default:
      return {};
  }
}

}  // namespace

void PatternCompiler::fail(std::string_view message) const {
  throw ValueError(fmt::format("the pattern '{}' is not valid: {}", printable(text_), message));
}

std::vector<Pattern::Instruction> PatternCompiler::compile() {
  Code code = alternatives(0);
  if (!at_end()) fail("a ')' too many");
  code.emplace_back();  // match
  return code;
}

std::uint32_t PatternCompiler::character() {
  const Utf8Character character = next_character(std::string_view(text_).substr(at_));
  at_ += character.length;
  return character.code;
}

Code PatternCompiler::characters(Ranges ranges) const {
  Pattern::Instruction instruction{Opcode::characters, std::move(ranges), 1, 0};
  if (flags_.ignores_case) instruction.ranges = both_cases(std::move(instruction.ranges));
  return {std::move(instruction)};
}

Code PatternCompiler::position(Opcode kind) const { return {{kind, {}, 1, 0}}; }

Code PatternCompiler::alternatives(int depth) {
  if (depth > kMaxPatternDepth) fail("it nests too deep");
  Code result = sequence(depth);
  while (peek() == '|' && !at_end()) {
    ++at_;
    const Code other = sequence(depth);
    // split L1, L2; L1: result; jump end; L2: other
    Code joined = {{Opcode::split, {}, 1, result.size() + 2}};
    append(joined, result);
    joined.push_back({Opcode::jump, {}, joined.size() + 1 + other.size(), 0});
    append(joined, other);
    result = std::move(joined);
  }
  return result;
}

Code PatternCompiler::sequence(int depth) {
  Code result;
  while (!at_end() && peek() != '|' && peek() != ')') append(result, repeated(item(depth)));
  return result;
}

Code PatternCompiler::item(int depth) {
  switch (peek()) {
    case '(':
      return group(depth);
    case '[':
      ++at_;
      return characters(bracket());
    case '.':
      ++at_;
      return characters(flags_.dot_takes_newline ? Ranges{{0, kLast}} : negated({{'\n', '\n'}}));
    case '^':
      ++at_;
      return position(flags_.is_multiline ? Opcode::line_begin : Opcode::text_begin);
    case '$':
      ++at_;
      return position(flags_.is_multiline ? Opcode::line_end : Opcode::text_end);
    case '\\':
      return escape();
    case '*':
    case '+':
    case '?':
      fail("a repetition of nothing");
    default: {
      const std::uint32_t code = character();
      return characters({{code, code}});
    }
  }
}

Code PatternCompiler::group(int depth) {
  ++at_;
  const Flags before = flags_;
  if (peek() == '?') return flags_or_group(depth);
  const std::size_t number = names_.size();
  names_.emplace_back();
  Code result = {{Opcode::save, {}, 1, 2 * number + 2}};
  append(result, alternatives(depth + 1));
  result.push_back({Opcode::save, {}, result.size() + 1, 2 * number + 3});
  if (peek() != ')' || at_end()) fail("a '(' without its ')'");
  ++at_;
  flags_ = before;
  return result;
}

// What stands behind "(?".
Code PatternCompiler::flags_or_group(int depth) {
  const Flags before = flags_;
  ++at_;
  const bool is_named = peek() == '<' && peek(1) != '=' && peek(1) != '!';
  if (is_named || (peek() == 'P' && peek(1) == '<')) {
    const std::size_t begin = at_ + (is_named ? 1 : 2);
    const std::size_t end = text_.find('>', begin);
    if (end == std::string_view::npos || end == begin) fail("a group's name ends with '>'");
    const std::string name(text_.substr(begin, end - begin));
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) fail("two groups have one name");
    at_ = end + 1;
    const std::size_t number = names_.size();
    names_.push_back(name);
    Code result = {{Opcode::save, {}, 1, 2 * number + 2}};
    append(result, alternatives(depth + 1));
    result.push_back({Opcode::save, {}, result.size() + 1, 2 * number + 3});
    if (peek() != ')' || at_end()) fail("a '(' without its ')'");
    ++at_;
    flags_ = before;
    return result;
  }
  bool value = true;
  for (;; ++at_) {
    switch (peek()) {
      case 'i':
        flags_.ignores_case = value;
        break;
      case 'm':
        flags_.is_multiline = value;
        break;
      case 's':
        flags_.dot_takes_newline = value;
        break;
      case 'U':
        flags_.is_lazy = value;
        break;
      case '-':
        value = false;
        break;
      case ')':
        ++at_;
        return {};  // for what follows in this group
      case ':': {
        ++at_;
        Code result = alternatives(depth + 1);
        if (peek() != ')' || at_end()) fail("a '(' without its ')'");
        ++at_;
        flags_ = before;
        return result;
      }
      default:
        fail("unknown '(?', such as look-around, which RE2 does not have");
    }
  }
}

Code PatternCompiler::escape() {
  switch (peek(1)) {
    case 'A':
      at_ += 2;
      return position(Opcode::text_begin);
    case 'z':
      at_ += 2;
      return position(Opcode::text_end);
    case 'b':
      at_ += 2;
      return position(Opcode::word);
    case 'B':
      at_ += 2;
      return position(Opcode::no_word);
    case 'Q':
      return quoted();
    default:
      break;
  }
  if (Ranges ranges = escape_class(); !ranges.empty()) return characters(std::move(ranges));
  const std::uint32_t code = escaped_character();
  return characters({{code, code}});
}

Code PatternCompiler::quoted() {
  at_ += 2;
  const std::size_t end = std::min(text_.find("\\E", at_), text_.size());
  Code result;
  while (at_ < end) {
    const std::uint32_t code = character();
    append(result, characters({{code, code}}));
  }
  at_ = std::min(end + 2, text_.size());
  return result;
}

Ranges PatternCompiler::escape_class() {
  if (peek() != '\\') return {};
  if (peek(1) == 'p' || peek(1) == 'P') fail("Unicode classes are not supported");
  Ranges ranges = class_of(peek(1));
  if (!ranges.empty()) at_ += 2;
  return ranges;
}

std::uint32_t PatternCompiler::escaped_character() {
  ++at_;
  if (at_end()) fail("a backslash at the end");
  static constexpr std::string_view kFrom = "afnrtv", kTo = "\a\f\n\r\t\v";
  const char c = peek();
  if (const std::size_t found = kFrom.find(c); found != std::string_view::npos) {
    ++at_;
    return static_cast<std::uint32_t>(kTo[found]);
  }
  if (c == 'x') {
    const bool has_braces = peek(1) == '{';
    const std::size_t begin = at_ + (has_braces ? 2 : 1);
    const std::size_t end = has_braces ? text_.find('}', begin) : begin + 2;
    const auto code = end <= text_.size() ? parse_unsigned(text_.substr(begin, end - begin), 16) : std::nullopt;
    if (!code || *code > kLast) fail("'\\x' needs hexadecimal digits");
    at_ = end + (has_braces ? 1 : 0);
    return static_cast<std::uint32_t>(*code);
  }
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
    fail(fmt::format("unknown escape '\\{}'", c));
  }
  return character();
}

Ranges PatternCompiler::named_class() {
  static const std::vector<std::pair<std::string_view, Ranges>> kClasses = {
      {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
      {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
      {"ascii", {{0, 0x7F}}},
      {"blank", {{'\t', '\t'}, {' ', ' '}}},
      {"cntrl", {{0, 0x1F}, {0x7F, 0x7F}}},
      {"digit", {{'0', '9'}}},
      {"graph", {{'!', '~'}}},
      {"lower", {{'a', 'z'}}},
      {"print", {{' ', '~'}}},
      {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
      {"space", {{'\t', '\r'}, {' ', ' '}}},
      {"upper", {{'A', 'Z'}}},
      {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
      {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
  };
  const std::size_t end = text_.find(":]", at_ + 2);
  if (peek() != '[' || peek(1) != ':' || end == std::string_view::npos) return {};
  std::string_view name = text_.substr(at_ + 2, end - at_ - 2);
  const bool is_negated = name.starts_with('^');
  if (is_negated) name.remove_prefix(1);
  for (const auto& [known, ranges] : kClasses) {
    if (known != name) continue;
    at_ = end + 2;
    return is_negated ? negated(ranges) : ranges;
  }
  fail("unknown class in '[[:NAME:]]'");
}

Ranges PatternCompiler::bracket() {
  const bool is_negated = peek() == '^';
  if (is_negated) ++at_;
  Ranges ranges;
  for (bool is_first = true; is_first || peek() != ']'; is_first = false) {
    if (at_end()) fail("a '[' without its ']'");
    if (Ranges named = named_class(); !named.empty()) {
      ranges.insert(ranges.end(), named.begin(), named.end());
      continue;
    }
    if (Ranges known = escape_class(); !known.empty()) {
      ranges.insert(ranges.end(), known.begin(), known.end());
      continue;
    }
    const std::uint32_t first = peek() == '\\' ? escaped_character() : character();
    std::uint32_t last = first;
    if (peek() == '-' && peek(1) != ']' && at_ + 1 < text_.size()) {
      ++at_;
      last = peek() == '\\' ? escaped_character() : character();
      if (last < first) fail("a range that goes backwards");
    }
    ranges.push_back({first, last});
  }
  ++at_;
  // The cases first: what is left out is left out in both.
  if (flags_.ignores_case) ranges = both_cases(std::move(ranges));
  return is_negated ? negated(std::move(ranges)) : ranges;
}

// "{2}", "{2,}", "{2,5}"; anything else is text.
bool PatternCompiler::bounds(std::size_t& least, std::size_t& most) {
  const std::size_t end = text_.find('}', at_);
  if (end == std::string_view::npos) return false;
  const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
  const std::size_t comma = inside.find(',');
  const auto low = parse_unsigned(inside.substr(0, comma));
  if (!low) return false;
  least = most = *low;
  if (comma != std::string_view::npos) {
    const std::string_view upper = inside.substr(comma + 1);
    const auto high = parse_unsigned(upper);
    if (!high && !upper.empty()) return false;
    most = high ? static_cast<std::size_t>(*high) : kNoBound;
  }
  if (least > kMaxRepeat || (most != kNoBound && (most > kMaxRepeat || most < least))) fail("bad bounds in '{}'");
  at_ = end + 1;
  return true;
}

Code PatternCompiler::repeated(Code code) {
  while (!at_end()) {
    std::size_t least = 0, most = kNoBound;
    if (peek() == '*') {
      ++at_;
    } else if (peek() == '+') {
      ++at_;
      least = 1;
    } else if (peek() == '?') {
      ++at_;
      most = 1;
    } else if (peek() != '{' || !bounds(least, most)) {
      return code;
    }
    bool is_lazy = flags_.is_lazy;
    if (peek() == '?') {
      ++at_;
      is_lazy = !is_lazy;
    }
    const auto split = [&](std::size_t inside, std::size_t behind) {
      return Pattern::Instruction{Opcode::split, {}, is_lazy ? behind : inside, is_lazy ? inside : behind};
    };
    Code result;
    for (std::size_t i = 0; i < least; ++i) append(result, code);
    if (most == kNoBound) {
      // L: split inside, behind; inside: code; jump L
      Code loop = {split(1, code.size() + 2)};
      append(loop, code);
      loop.push_back({Opcode::jump, {}, 0, 0});
      append(result, loop);
    } else {
      // Each optional one leads behind the last of them; a part within a part would be copied once per level.
      const std::size_t behind = result.size() + (most - least) * (code.size() + 1);
      for (std::size_t i = least; i < most; ++i) {
        result.push_back(split(result.size() + 1, behind));
        append(result, code);
      }
    }
    code = std::move(result);
  }
  return code;
}

}  // namespace kiln::hcl
