#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <compare>

#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

// semvercmp() with the constraints of Masterminds/semver: "~1.2", "^1", ">= 1.2, < 3 || 4.x", "1.2 - 2".
namespace kiln::hcl {

namespace {

struct Version {
  std::array<std::uint64_t, 3> numbers{};
  std::string pre_release;
};

struct Constraint {
  std::string op;
  Version version;
  // How many of the numbers are written; the others are anything.
  int written = 3;
};

bool is_identifier_part(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool skip_space() {
    const std::size_t before = at_;
    while (peek() == ' ' || peek() == '\t') ++at_;
    return at_ != before;
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  // nullopt where no version stands here. With wildcards "x" and "*" and left out numbers end what is written.
  std::optional<Constraint> version(bool allows_wildcards) {
    const std::size_t before = at_;
    Constraint result;
    accept('v');
    result.written = 0;
    bool is_open = false;
    for (std::size_t i = 0; i < 3; ++i) {
      if (i > 0 && !accept('.')) break;
      if (allows_wildcards && (peek() == 'x' || peek() == 'X' || peek() == '*')) {
        ++at_;
        is_open = true;
        continue;
      }
      const std::size_t begin = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      const auto number = parse_unsigned(text_.substr(begin, at_ - begin));
      if (!number) {
        at_ = before;
        return std::nullopt;
      }
      if (is_open) continue;
      result.version.numbers[i] = *number;
      result.written = static_cast<int>(i) + 1;
    }
    if (accept('-')) result.version.pre_release = identifiers();
    if (accept('+')) identifiers();
    return result;
  }
  std::string op() {
    for (const std::string_view known : {"!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"}) {
      if (!text_.substr(at_).starts_with(known)) continue;
      at_ += known.size();
      return std::string(known);
    }
    return "";
  }
  std::size_t position() const { return at_; }
  void rewind(std::size_t at) { at_ = at; }

 private:
  std::string identifiers() {
    const std::size_t begin = at_;
    while (is_identifier_part(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

int compare_identifiers(std::string_view a, std::string_view b) {
  const auto left = parse_unsigned(a), right = parse_unsigned(b);
  if (left && right) return *left < *right ? -1 : *left == *right ? 0 : 1;
  if (left || right) return left ? -1 : 1;  // numbers before words
  const int order = a.compare(b);
  return order < 0 ? -1 : order == 0 ? 0 : 1;
}

int compare(const Version& a, const Version& b) {
  if (a.numbers != b.numbers) return a.numbers < b.numbers ? -1 : 1;
  if (a.pre_release.empty() || b.pre_release.empty()) {
    return (a.pre_release.empty() ? 1 : 0) - (b.pre_release.empty() ? 1 : 0);
  }
  const auto left = split(a.pre_release, '.'), right = split(b.pre_release, '.');
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (const int order = compare_identifiers(left[i], right[i]); order != 0) return order;
  }
  return left.size() < right.size() ? -1 : left.size() == right.size() ? 0 : 1;
}

bool has_same(const Version& a, const Version& b, int count) {
  return std::equal(a.numbers.begin(), a.numbers.begin() + count, b.numbers.begin());
}

bool matches_tilde(const Version& version, const Constraint& c) {
  if (compare(version, c.version) < 0) return false;
  if (c.version.numbers == std::array<std::uint64_t, 3>{} && (c.written == 0 || c.written == 3)) return true;
  return has_same(version, c.version, c.written == 1 ? 1 : 2);
}

bool matches_caret(const Version& version, const Constraint& c) {
  if (compare(version, c.version) < 0) return false;
  if (c.version.numbers[0] > 0 || c.written == 1) return has_same(version, c.version, 1);
  if (version.numbers[0] > 0) return false;
  if (c.version.numbers[1] > 0 || c.written == 2) return has_same(version, c.version, 2);
  return has_same(version, c.version, 3);
}

bool matches_greater(const Version& version, const Constraint& c) {
  if (c.written == 3) return compare(version, c.version) > 0;
  if (version.numbers[0] != c.version.numbers[0]) return version.numbers[0] > c.version.numbers[0];
  if (c.written == 1) return false;
  if (c.written == 2) return version.numbers[1] > c.version.numbers[1];
  return compare(version, c.version) > 0;
}

bool matches_less_or_equal(const Version& version, const Constraint& c) {
  if (c.written == 3) return compare(version, c.version) <= 0;
  if (version.numbers[0] != c.version.numbers[0]) return version.numbers[0] < c.version.numbers[0];
  return c.written == 1 || version.numbers[1] <= c.version.numbers[1];
}

bool matches(const Version& version, const Constraint& c, bool allows_pre_release) {
  if (!version.pre_release.empty() && !allows_pre_release) return false;
  if (c.op == "!=") return c.written == 3 ? compare(version, c.version) != 0 : !has_same(version, c.version, c.written);
  if (c.op == ">") return matches_greater(version, c);
  if (c.op == "<") return compare(version, c.version) < 0;
  if (c.op == ">=" || c.op == "=>") return compare(version, c.version) >= 0;
  if (c.op == "<=" || c.op == "=<") return matches_less_or_equal(version, c);
  if (c.op == "^") return matches_caret(version, c);
  if (c.op == "~" || c.op == "~>" || c.written < 3) return matches_tilde(version, c);
  return compare(version, c.version) == 0;
}

std::vector<Constraint> parse_constraints(std::string_view text) {
  const auto fail = [&] { throw ValueError(fmt::format("'{}' is no version constraint", printable(text))); };
  std::vector<Constraint> result;
  Reader reader(text);
  reader.skip_space();
  if (reader.at_end()) fail();
  while (!reader.at_end()) {
    const std::string op = reader.op();
    reader.skip_space();
    auto constraint = reader.version(true);
    if (!constraint) fail();
    constraint->op = op;
    // "1.2 - 2.3"
    const std::size_t before = reader.position();
    if (op.empty() && reader.skip_space() && reader.accept('-') && reader.skip_space()) {
      auto last = reader.version(true);
      if (!last) fail();
      constraint->op = ">=";
      last->op = "<=";
      result.push_back(*constraint);
      constraint = last;
    } else {
      reader.rewind(before);
    }
    result.push_back(*constraint);
    const bool has_space = reader.skip_space();
    const bool has_comma = reader.accept(',');
    reader.skip_space();
    if (!reader.at_end() && !has_space && !has_comma) fail();
    if (reader.at_end() && has_comma) fail();
  }
  return result;
}

Value semvercmp(const std::vector<Value>& arguments) {
  Reader reader(arguments[0].text());
  const auto version = reader.version(false);
  if (!version || !reader.at_end()) {
    throw ValueError(fmt::format("'{}' is no version", printable(arguments[0].text())));
  }
  std::string_view rest = arguments[1].text();
  bool result = false;
  while (true) {
    const std::size_t end = rest.find("||");
    const auto all = parse_constraints(rest.substr(0, end));
    const bool allows_pre_release =
        std::any_of(all.begin(), all.end(), [](const Constraint& c) { return !c.version.pre_release.empty(); });
    result = result || std::all_of(all.begin(), all.end(), [&](const Constraint& c) {
               return matches(version->version, c, allows_pre_release);
             });
    if (end == std::string_view::npos) return Value::of(result);
    rest.remove_prefix(end + 2);
  }
}

}  // namespace

FunctionTable version_functions() {
  return {{"semvercmp", {{{"version", Type::string()}, {"contraint", Type::string()}}, {}, semvercmp}}};
}

}  // namespace kiln::hcl
