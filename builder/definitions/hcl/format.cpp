#include "builder/definitions/hcl/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

constexpr int kMaxWidth = 10'000;

struct Verb {
  std::string_view raw;
  std::size_t argument = 0;  // from 1; 0: the next one
  char mode = 0;
  bool has_zero = false, has_sharp = false, has_plus = false, has_minus = false, has_space = false;
  std::optional<int> width, precision;
};

bool joins_previous(std::string_view character) {
  // Combining diacritical marks, variation selectors, the zero width joiner.
  return (character >= "\xCC\x80" && character < "\xCD\xB0") || character == "\xE2\x80\x8D" ||
         (character >= "\xEF\xB8\x80" && character <= "\xEF\xB8\x8F");
}

class FormatReader {
 public:
  explicit FormatReader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  std::string_view literal() {
    const std::size_t begin = at_;
    at_ = std::min(text_.find('%', at_), text_.size());
    return text_.substr(begin, at_ - begin);
  }
  Verb verb() {
    Verb result;
    const std::size_t begin = at_++;
    for (;; ++at_) {
      if (peek() == '0') {
        result.has_zero = true;
      } else if (peek() == '#') {
        result.has_sharp = true;
      } else if (peek() == '+') {
        result.has_plus = true;
      } else if (peek() == '-') {
        result.has_minus = true;
      } else if (peek() == ' ') {
        result.has_space = true;
      } else {
        break;
      }
    }
    result.width = number();
    if (peek() == '.') {
      ++at_;
      result.precision = number().value_or(0);
    }
    if (peek() == '[') {
      ++at_;
      result.argument = static_cast<std::size_t>(number().value_or(0));
      if (peek() != ']' || result.argument == 0) throw ValueError("'%[' needs the number of an argument and ']'");
      ++at_;
    }
    result.mode = peek();
    if (result.mode == '\0') throw ValueError("the format ends in the middle of a verb");
    ++at_;
    result.raw = text_.substr(begin, at_ - begin);
    return result;
  }

 private:
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  std::optional<int> number() {
    std::optional<int> result;
    for (; peek() >= '0' && peek() <= '9'; ++at_)
      result = std::min(result.value_or(0) * 10 + (peek() - '0'), kMaxWidth);
    return result;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string padded(const Verb& verb, std::string text) {
  const auto width = static_cast<std::size_t>(verb.width.value_or(0));
  const std::size_t length = width == 0 ? 0 : characters_of(text).size();
  if (length >= width) return text;
  const std::string pad(width - length, verb.has_zero ? '0' : ' ');
  return verb.has_minus ? text + pad : pad + text;
}

// Padding goes between a sign and the digits where it is of zeros.
std::string padded_number(const Verb& verb, const std::string& sign, const std::string& digits) {
  const auto width = static_cast<std::size_t>(verb.width.value_or(0));
  const std::size_t length = sign.size() + digits.size();
  if (length >= width) return sign + digits;
  const std::size_t missing = width - length;
  if (verb.has_minus) return sign + digits + std::string(missing, ' ');
  if (verb.has_zero && !(verb.precision && verb.mode == 'd')) return sign + std::string(missing, '0') + digits;
  return std::string(missing, ' ') + sign + digits;
}

std::string whole(const Verb& verb, const Number& number) {
  if (!number.is_whole()) throw ValueError(fmt::format("a whole number is required for '{}'", verb.raw));
  const int base = verb.mode == 'b' ? 2 : verb.mode == 'o' ? 8 : verb.mode == 'd' ? 10 : 16;
  std::string digits = number.text_in_base(base);
  if (verb.mode == 'X') digits = to_upper(digits);
  const auto least = static_cast<std::size_t>(verb.precision.value_or(0));
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  std::string sign = number.is_negative() ? "-" : verb.has_plus ? "+" : verb.has_space ? " " : "";
  if (verb.has_sharp)
    sign += verb.mode == 'x' ? "0x" : verb.mode == 'X' ? "0X" : verb.mode == 'o' ? "0" : verb.mode == 'b' ? "0b" : "";
  return padded_number(verb, sign, digits);
}

// As Go's %g with the shortest digits: an exponent below -4 and from 21 on.
std::string shortest(const Number& number, char exponent_letter, int greatest) {
  std::string digits = (number.is_negative() ? number.negated() : number).text();
  const std::size_t point = digits.find('.');
  const std::size_t first = digits.find_first_not_of("0.");
  if (first == std::string::npos) return "0";
  const int exponent = point == std::string::npos ? static_cast<int>(digits.size()) - 1
                       : first < point            ? static_cast<int>(point) - 1
                                                  : static_cast<int>(point) - static_cast<int>(first);
  if (exponent >= -4 && exponent < greatest) return digits;
  digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
  digits.erase(0, digits.find_first_not_of('0'));
  while (digits.ends_with('0')) digits.pop_back();
  if (digits.size() > 1) digits.insert(1, ".");
  return fmt::format("{}{}{}{:02}", digits, exponent_letter, exponent < 0 ? '-' : '+', std::abs(exponent));
}

std::string real(const Verb& verb, const Number& number) {
  const std::string sign = number.is_negative() ? "-" : verb.has_plus ? "+" : verb.has_space ? " " : "";
  const Number magnitude = number.is_negative() ? number.negated() : number;
  if (verb.mode == 'f') return padded_number(verb, sign, magnitude.fixed_text(verb.precision.value_or(6)));
  if ((verb.mode == 'g' || verb.mode == 'G') && !verb.precision) {
    return padded_number(verb, sign, shortest(magnitude, verb.mode == 'g' ? 'e' : 'E', 21));
  }
  const char format[] = {'%', '.', '*', verb.mode, '\0'};
  const int precision = std::min(verb.precision.value_or(6), 300);
  char text[512];
  const int length = std::snprintf(text, sizeof text, format, precision, magnitude.to_double());
  return padded_number(verb, sign, std::string(text, static_cast<std::size_t>(length)));
}

std::string formatted(const Verb& verb, const Value& value) {
  if (verb.mode == 'v') {
    if (!verb.has_sharp && value.is(Type::Kind::string)) return padded(verb, value.text());
    if (!verb.has_sharp && value.is(Type::Kind::number)) {
      return padded(verb, (value.number().is_negative() ? "-" : "") + shortest(value.number(), 'e', 21));
    }
    return padded(verb, to_json_text(value));
  }
  if (value.is_null()) throw ValueError(fmt::format("null cannot be formatted by '{}'", verb.raw));
  static constexpr std::string_view kWhole = "bdoxX", kReal = "eEfgG";
  if (verb.mode == 't') return convert(value, Type::boolean()).boolean() ? "true" : "false";
  if (kWhole.find(verb.mode) != std::string_view::npos) return whole(verb, convert(value, Type::number()).number());
  if (kReal.find(verb.mode) != std::string_view::npos) return real(verb, convert(value, Type::number()).number());
  if (verb.mode != 's' && verb.mode != 'q') {
    throw ValueError(
        fmt::format("unknown verb '{}'; known: %v %t %b %d %o %x %X %e %E %f %g %G %s %q", printable(verb.raw)));
  }
  std::string text = convert(value, Type::string()).text();
  if (verb.precision.value_or(0) > 0) {
    const auto characters = characters_of(text);
    std::string kept;
    for (std::size_t i = 0; i < std::min(characters.size(), static_cast<std::size_t>(*verb.precision)); ++i) {
      kept += characters[i];
    }
    text = std::move(kept);
  }
  return padded(verb, verb.mode == 'q' ? to_json_text(Value::of(std::move(text))) : std::move(text));
}

}  // namespace

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> result;
  result.reserve(text.size());
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    for (std::size_t at = 0; at < text.size(); ++at) result.push_back(text.substr(at, 1));
    return result;
  }
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (end < text.size() && is_continuation(text[end])) ++end;
    const std::string_view character = text.substr(at, end - at);
    const bool follows_joiner = !result.empty() && result.back().ends_with("\xE2\x80\x8D");
    const bool is_line_end = character == "\n" && !result.empty() && result.back() == "\r";
    if (!result.empty() && (joins_previous(character) || follows_joiner || is_line_end)) {
      result.back() = std::string_view(result.back().data(), result.back().size() + character.size());
    } else {
      result.push_back(character);
    }
    at = end;
  }
  return result;
}

std::string format_values(std::string_view format, const std::vector<Value>& arguments) {
  std::string result;
  FormatReader reader(format);
  std::size_t next = 1, highest = 0;
  while (!reader.at_end()) {
    result += reader.literal();
    if (reader.at_end()) break;
    const Verb verb = reader.verb();
    if (verb.mode == '%') {
      result += '%';
      continue;
    }
    const std::size_t number = verb.argument == 0 ? next : verb.argument;
    if (number > arguments.size()) {
      throw ValueError(
          fmt::format("there is no argument {} for '{}'; there are {}", number, printable(verb.raw), arguments.size()));
    }
    next = number + 1;
    highest = std::max(highest, number);
    result += formatted(verb, arguments[number - 1]);
    check_text_size(result.size());
  }
  if (highest < arguments.size()) {
    throw ValueError(fmt::format("the format uses {} of {} arguments", highest, arguments.size()));
  }
  return result;
}

}  // namespace kiln::hcl
