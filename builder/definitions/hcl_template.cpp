#include "builder/definitions/hcl_template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

using nlohmann::json;

namespace {

constexpr std::string_view kInstead = "run 'docker buildx bake --print > resolved.json' and bake that file";

[[noreturn]] void refuse(std::string_view what) {
  throw Error(Category::usage, fmt::format("{}; kiln reads ${{NAME}} and ${{NAME.key}} only: {}", what, kInstead));
}

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9') || c == '-'; }

// What stands between `${` and its `}`: a variable and the way to a part of it.
class Expression {
 public:
  Expression(std::string_view text, const VariableLookup& lookup) : text_(text), lookup_(lookup) {}

  const json& evaluate() {
    skip_spaces();
    const std::string first = name();
    if (peek() == '(') refuse(fmt::format("the function '{}' in '${{{}}}' is not supported", first, printable(text_)));
    const json* value = lookup_(first);
    if (value == nullptr) throw Error(Category::usage, fmt::format("unknown variable '{}'", printable(first)));
    while (true) {
      skip_spaces();
      if (at_ == text_.size()) return *value;
      value = part_of(*value);
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  [[noreturn]] void unsupported() const {
    refuse(fmt::format("the expression '${{{}}}' is not supported", printable(text_)));
  }
  std::string name() {
    if (!is_name_start(peek())) unsupported();
    const std::size_t begin = at_;
    while (is_name_part(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  const json* part_of(const json& value) {
    if (peek() == '.') {
      ++at_;
      return member(value, name());
    }
    if (peek() != '[') unsupported();
    ++at_;
    skip_spaces();
    const json* part = nullptr;
    if (peek() == '"') {
      const std::size_t end = text_.find('"', at_ + 1);
      if (end == std::string_view::npos) unsupported();
      part = member(value, std::string(text_.substr(at_ + 1, end - at_ - 1)));
      at_ = end + 1;
    } else {
      const std::size_t begin = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      const auto index = parse_unsigned(text_.substr(begin, at_ - begin));
      if (!index) unsupported();
      if (!value.is_array() || *index >= value.size()) {
        throw Error(Category::usage, fmt::format("'{}' has no item {}", printable(text_.substr(0, begin - 1)), *index));
      }
      part = &value[*index];
    }
    skip_spaces();
    if (peek() != ']') unsupported();
    ++at_;
    return part;
  }
  const json* member(const json& value, const std::string& key) const {
    if (value.is_object() && value.contains(key)) return &value.at(key);
    std::vector<std::string> known;
    if (value.is_object()) {
      for (const auto& [name, ignored] : value.items()) known.push_back(name);
    }
    throw Error(Category::usage, fmt::format("'${{{}}}': there is no key '{}'{}", printable(text_), printable(key),
                                             suggestion(key, known)));
  }

  std::string_view text_;
  const VariableLookup& lookup_;
  std::size_t at_ = 0;
};

// The end of an interpolation that begins at `at`: the brace that closes it, past nested ones and quoted text.
std::size_t closing_brace(std::string_view text, std::size_t at) {
  int depth = 0;
  bool is_quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (is_quoted) {
      if (c == '\\') ++at;
      if (c == '"') is_quoted = false;
    } else if (c == '"') {
      is_quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && depth-- == 0) {
      return at;
    }
  }
  throw Error(Category::usage, fmt::format("'{}' has a '${{' without '}}'", printable(text)));
}

}  // namespace

std::string template_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number_integer()) return value.dump();
  if (value.is_number()) {
    const double number = value.get<double>();
    return std::trunc(number) == number && std::fabs(number) < 1e15 ? fmt::format("{:.0f}", number)
                                                                    : fmt::format("{}", number);
  }
  const char* what = value.is_null() ? "null" : value.is_array() ? "a list" : "an object";
  throw Error(Category::usage, fmt::format("expected a text, got {}", what));
}

json evaluate_template(std::string_view text, const VariableLookup& lookup) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("$${") || rest.starts_with("%%{")) {
      result += rest.substr(1, 2);
      at += 3;
    } else if (rest.starts_with("%{")) {
      refuse(fmt::format("the directive in '{}' is not supported", printable(text)));
    } else if (rest.starts_with("${")) {
      const std::size_t end = closing_brace(text, at + 2);
      const json& value = Expression(text.substr(at + 2, end - at - 2), lookup).evaluate();
      if (at == 0 && end + 1 == text.size()) return value;
      result += template_text(value);
      at = end + 1;
    } else {
      result += text[at++];
    }
  }
  return result;
}

}  // namespace kiln
