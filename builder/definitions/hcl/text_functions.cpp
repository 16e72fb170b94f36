#include <fmt/format.h>
#include <wctype.h>

#include <algorithm>
#include <clocale>

#include "base/paths.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/format.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;

constexpr std::int64_t kMaxOffset = 1'000'000'000;

// The C library's tables for UTF-8, whatever the environment's language is.
locale_t unicode() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

bool is_unicode_space(std::uint32_t code) {
  return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

template <class Change>
std::string changed(std::string_view text, Change&& change) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character character = next_character(text.substr(at));
    if (character.length == 1 && character.code == kReplacementCharacter) {
      result += text[at];
    } else {
      append_utf8(result, change(static_cast<std::uint32_t>(character.code)));
    }
    at += character.length;
  }
  return result;
}

std::uint32_t upper(std::uint32_t code) {
  return unicode() == nullptr ? code : static_cast<std::uint32_t>(towupper_l(code, unicode()));
}
std::uint32_t lower(std::uint32_t code) {
  return unicode() == nullptr ? code : static_cast<std::uint32_t>(towlower_l(code, unicode()));
}

Value title(const Values& arguments) {
  bool begins_word = true;
  return Value::of(changed(arguments[0].text(), [&](std::uint32_t code) {
    const bool is_part = code == '_' || (code < 0x80 ? isalnum(static_cast<int>(code)) != 0
                                                     : unicode() != nullptr && iswalnum_l(code, unicode()) != 0);
    const std::uint32_t result = begins_word ? upper(code) : code;
    begins_word = code < 0x80 ? !is_part : !is_part && is_unicode_space(code);
    return result;
  }));
}

std::vector<std::string_view> units(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t at = 0; at < text.size();) {
    result.push_back(text.substr(at, next_character(text.substr(at)).length));
    at += result.back().size();
  }
  return result;
}

template <class IsCut>
Value trimmed(std::string_view text, IsCut&& is_cut) {
  const auto parts = units(text);
  std::size_t begin = 0, end = parts.size();
  while (begin < end && is_cut(parts[begin])) ++begin;
  while (end > begin && is_cut(parts[end - 1])) --end;
  std::string result;
  for (std::size_t i = begin; i < end; ++i) result += parts[i];
  return Value::of(std::move(result));
}

Value trim_set(const Values& arguments) {
  const auto set = units(arguments[1].text());
  return trimmed(arguments[0].text(),
                 [&](std::string_view part) { return std::find(set.begin(), set.end(), part) != set.end(); });
}

Value trimspace(const Values& arguments) {
  return trimmed(arguments[0].text(),
                 [](std::string_view part) { return is_unicode_space(next_character(part).code); });
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  if (from.empty()) {  // as Go: before, between and behind all characters
    for (const std::string_view part : units(text)) {
      result += to;
      result += part;
      check_text_size(result.size());
    }
    return result.append(to);
  }
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    result += text.substr(at, found == std::string_view::npos ? found : found - at);
    if (found == std::string_view::npos) return result;
    result += to;
    check_text_size(result.size());
    at = found + from.size();
  }
}

Value split_text(const Values& arguments) {
  const std::string& separator = arguments[0].text();
  const std::string& text = arguments[1].text();
  Values parts;
  if (separator.empty()) {
    for (const std::string_view part : units(text)) parts.push_back(Value::of(part));
    return Value::list(Type::string(), std::move(parts));
  }
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(separator, at);
    parts.push_back(Value::of(text.substr(at, found == std::string::npos ? found : found - at)));
    if (found == std::string::npos) return Value::list(Type::string(), std::move(parts));
    at = found + separator.size();
  }
}

Value join_texts(const Values& arguments) {
  if (arguments.size() < 2) throw ValueError("at least one list is required");
  std::string result;
  bool is_first = true;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    for (const Value& item : arguments[i].items()) {
      if (item.is_null()) throw ValueError("an item is null and cannot be joined");
      if (!std::exchange(is_first, false)) result += arguments[0].text();
      result += item.text();
      check_text_size(result.size());
    }
  }
  return Value::of(std::move(result));
}

Value substr(const Values& arguments) {
  const auto characters = characters_of(arguments[0].text());
  const auto size = static_cast<std::int64_t>(characters.size());
  std::int64_t offset = whole_number(arguments[1], "the offset", -kMaxOffset, kMaxOffset);
  const std::int64_t length = whole_number(arguments[2], "the length", -kMaxOffset, kMaxOffset);
  if (offset < 0) {
    offset += size;
  } else if (length == 0) {
    return Value::of("");
  }
  const std::int64_t begin = std::clamp<std::int64_t>(offset, 0, size);
  // With a negative offset Go's loop never meets a length of zero, and takes all that is left.
  const std::int64_t end = length <= 0 ? size : std::min(size, begin + length);
  std::string result;
  for (std::int64_t i = begin; i < end; ++i) result += characters[static_cast<std::size_t>(i)];
  return Value::of(std::move(result));
}

Value reverse(const Values& arguments) {
  const auto characters = characters_of(arguments[0].text());
  std::string result;
  for (auto it = characters.rbegin(); it != characters.rend(); ++it) result += *it;
  return Value::of(std::move(result));
}

Value chomp(const Values& arguments) {
  std::string text = arguments[0].text();
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return Value::of(std::move(text));
}

Value indent(const Values& arguments) {
  const auto spaces = static_cast<std::size_t>(whole_number(arguments[0], "the number of spaces", 0, 10'000));
  return Value::of(replace_all(arguments[1].text(), "\n", "\n" + std::string(spaces, ' ')));
}

Value formatlist(const Values& arguments) {
  const std::string& format = arguments[0].text();
  std::optional<std::size_t> count;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (!arguments[i].is_sequence()) continue;
    if (count && *count != arguments[i].size()) {
      throw ValueError(fmt::format("lists of {} and of {} items", *count, arguments[i].size()));
    }
    count = arguments[i].size();
  }
  Values result;
  for (std::size_t row = 0; row < count.value_or(1); ++row) {
    Values values;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      values.push_back(arguments[i].is_sequence() ? arguments[i].items()[row] : arguments[i]);
    }
    result.push_back(Value::of(format_values(format, values)));
  }
  return Value::list(Type::string(), std::move(result));
}

std::string basename(const std::string& path) {
  if (path.empty()) return ".";
  std::string_view rest = path;
  while (rest.size() > 1 && rest.ends_with('/')) rest.remove_suffix(1);
  if (rest == "/") return "/";
  return std::string(rest.substr(rest.rfind('/') + 1));
}

std::string dirname(const std::string& path) { return clean_path(path.substr(0, path.rfind('/') + 1)); }

std::string sanitized(std::string_view text) {
  std::string result;
  for (const std::string_view part : units(text)) {
    const char c = part[0];
    const bool is_fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    result += is_fine ? c : '_';
  }
  return result;
}

}  // namespace

FunctionTable text_functions() {
  const Parameter text{"str", Type::string()};
  const auto unary = [&](std::function<Value(const Values&)> call) { return Function{{text}, {}, std::move(call)}; };
  const Parameter arguments{"args", Type(), true};
  return {
      {"basename", unary([](const Values& v) { return Value::of(basename(v[0].text())); })},
      {"chomp", unary(chomp)},
      {"dirname", unary([](const Values& v) { return Value::of(dirname(v[0].text())); })},
      {"format",
       {{{"format", Type::string()}},
        arguments,
        [](const Values& v) {
          return Value::of(format_values(v[0].text(), {v.begin() + 1, v.end()}));
        }}},
      {"formatlist", {{{"format", Type::string()}}, arguments, formatlist}},
      {"indent", {{{"spaces", Type::number()}, text}, {}, indent}},
      {"join", {{{"separator", Type::string()}}, Parameter{"lists", Type::list(Type::string())}, join_texts}},
      {"lower", unary([](const Values& v) { return Value::of(changed(v[0].text(), lower)); })},
      {"replace",
       {{text, {"substr", Type::string()}, {"replace", Type::string()}},
        {},
        [](const Values& v) { return Value::of(replace_all(v[0].text(), v[1].text(), v[2].text())); }}},
      {"reverse", unary(reverse)},
      {"sanitize", unary([](const Values& v) { return Value::of(sanitized(v[0].text())); })},
      {"split", {{{"separator", Type::string()}, text}, {}, split_text}},
      {"strlen",
       unary([](const Values& v) { return Value::of(static_cast<std::int64_t>(characters_of(v[0].text()).size())); })},
      {"substr", {{text, {"offset", Type::number()}, {"length", Type::number()}}, {}, substr}},
      {"title", unary(title)},
      {"trim",
       {{text, {"cutset", Type::string()}},
        {},
        trim_set,
        [](const Values& v) { return v[0].text().size() * v[1].text().size() / 256; }}},
      {"trimprefix",
       {{text, {"prefix", Type::string()}},
        {},
        [](const Values& v) {
          const std::string& prefix = v[1].text();
          return v[0].text().starts_with(prefix) ? Value::of(v[0].text().substr(prefix.size())) : v[0];
        }}},
      {"trimspace", unary(trimspace)},
      {"trimsuffix",
       {{text, {"suffix", Type::string()}},
        {},
        [](const Values& v) {
          const std::string& suffix = v[1].text();
          const std::string& whole = v[0].text();
          return whole.ends_with(suffix) ? Value::of(whole.substr(0, whole.size() - suffix.size())) : v[0];
        }}},
      {"upper", unary([](const Values& v) { return Value::of(changed(v[0].text(), upper)); })},
  };
}

}  // namespace kiln::hcl
