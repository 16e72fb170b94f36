#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/near_hint.hpp"
#include "base/utf8.hpp"

namespace kiln {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

bool has_same_letters(std::string_view word, std::string_view other) {
  return word.size() == other.size() && std::is_permutation(word.begin(), word.end(), other.begin());
}

// Controls (C0, DEL, C1: U+009B begins a terminal's escape sequence), line separators and bidirectional overrides.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string to_upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), upper);
  return result;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  std::size_t best_distance = word.size() / 3 + 2;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    const std::size_t length = std::max(word.size(), candidate.size());
    // Of two letters one is no likeness: -p is not -h. Letters that changed places are.
    const bool is_like = distance == 0 || (length > 2 && (2 * distance <= length || has_same_letters(word, candidate)));
    if (distance < best_distance && is_like) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? std::optional(*best) : std::nullopt;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  if (candidates.empty()) return {};
  if (const std::string hint = near_hint(word, candidates); !hint.empty()) return hint;
  constexpr std::size_t kMostListed = 12;
  const std::size_t shown = std::min(candidates.size(), kMostListed);
  return fmt::format("; known: {}{}",
                     fmt::join(candidates.begin(), candidates.begin() + static_cast<long>(shown), ", "),
                     shown < candidates.size() ? ", ..." : "");
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB", "PB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, unit);
}

std::string human_seconds(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  return fmt::format("{}m{:02}s", whole / 60, whole % 60);
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [code, length] = next_character(text);
    const bool is_invalid = code == kReplacementCharacter && length == 1;
    for (const char byte : text.substr(0, length)) {
      if (is_invalid || is_invisible(code)) {
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      } else {
        result += byte;
      }
    }
    text.remove_prefix(length);
  }
  return result;
}

std::string printable(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return printable(text);
  return printable(text.substr(0, character_start(text, most_bytes))) + "...";
}

std::string visible_json(std::string_view json) {
  std::string result;
  result.reserve(json.size());
  while (!json.empty()) {
    const auto [code, length] = next_character(json);
    // Control characters below a space are written as escapes already, but for line breaks between members.
    const bool begins_order = json.starts_with("##[") || json.starts_with("##vso[");
    if (begins_order || (code >= 0x7F && is_invisible(code))) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    } else {
      result += json.substr(0, length);
    }
    json.remove_prefix(length);
  }
  return result;
}

std::string readable_line(std::string_view line) {
  constexpr std::size_t kMostBytes = 8000;
  constexpr std::size_t kEndBytes = 1000;
  if (line.size() <= kMostBytes) return std::string(line);
  const std::size_t head = character_start(line, kMostBytes - kEndBytes);
  const std::size_t tail = character_start(line, line.size() - kEndBytes);
  return fmt::format("{} ... {} bytes left out ... {}", line.substr(0, head), tail - head, line.substr(tail));
}

std::string hex(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    result += kDigits[byte >> 4];
    result += kDigits[byte & 15];
  }
  return result;
}

}  // namespace kiln
