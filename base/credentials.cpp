#include "base/credentials.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kSign = "://";
constexpr std::string_view kMask = "xxxxx";
constexpr std::string_view kValueMask = "***";

bool is_web(std::string_view before) { return before.ends_with("http") || before.ends_with("https"); }

// What may be credentials ends before anything that no URL has in that place.
bool ends_authority(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == '?' || c == '#' || c == '"' || c == '\'' ||
         c == '`' || c == '<' || c == '>';
}

bool is_same_letter(char one, char other) {
  return std::tolower(static_cast<unsigned char>(one)) == std::tolower(static_cast<unsigned char>(other));
}

// How many bytes of the text's beginning are the value, in which any byte may be percent-encoded; 0: they are not.
std::size_t percent_encoded_size(std::string_view text, std::string_view value) {
  std::size_t at = 0;
  for (const char byte : value) {
    const std::string_view rest = text.substr(at);
    const auto encoded = rest.size() >= 3 && rest[0] == '%' ? parse_unsigned(rest.substr(1, 2), 16) : std::nullopt;
    if (encoded && is_same_letter(static_cast<char>(*encoded), byte)) {
      at += 3;
    } else if (!rest.empty() && is_same_letter(rest[0], byte)) {
      ++at;
    } else {
      return 0;
    }
  }
  return at;
}

}  // namespace

std::string without_url_credentials(std::string_view text) {
  std::string result;
  for (;;) {
    const std::size_t sign = text.find(kSign);
    if (sign == std::string_view::npos) return result += text;
    const std::size_t begin = sign + kSign.size();
    std::size_t end = begin;
    while (end < text.size() && !ends_authority(text[end])) ++end;
    const std::string_view authority = text.substr(begin, end - begin);
    const std::size_t at = authority.rfind('@');
    const bool is_masked =
        at != std::string_view::npos && at > 0 &&
        (is_web(text.substr(0, sign)) || authority.substr(0, at).find(':') != std::string_view::npos);
    result += text.substr(0, begin);
    result += is_masked ? masked_user(authority.substr(0, at)).append(authority.substr(at)) : std::string(authority);
    text.remove_prefix(end);
  }
}

std::string masked_user(std::string_view user) {
  const std::size_t colon = user.find(':');
  std::string mask;
  if (colon != 0 && !user.empty()) mask = kMask;
  if (colon != std::string_view::npos) mask.append(":").append(kMask);
  return mask;
}

std::string with_mask_for(std::string_view text, std::string_view value,
                          const std::function<bool(std::size_t offset, std::size_t size)>& counts) {
  if (value.empty()) return std::string(text);
  const auto letter = static_cast<unsigned char>(value.front());
  const char first[] = {static_cast<char>(std::tolower(letter)), static_cast<char>(std::toupper(letter)), '%'};
  const std::string_view firsts(first, sizeof first);
  std::string result;
  std::size_t begin = 0;  // of what is not in the result
  for (std::size_t at = text.find_first_of(firsts); at != std::string_view::npos;) {
    const std::string_view rest = text.substr(at);
    const bool is_as_it_is = rest.size() >= value.size() && equals_ignoring_case(rest.substr(0, value.size()), value);
    const std::size_t size = std::max(is_as_it_is ? value.size() : 0, percent_encoded_size(rest, value));
    if (size != 0) {
      result += text.substr(begin, at - begin);
      result += !counts || counts(at, size) ? kValueMask : text.substr(at, size);
      begin = at + size;
    }
    at = text.find_first_of(firsts, std::max(begin, at + 1));
  }
  result += text.substr(begin);
  return result;
}

void sort_for_masking(std::vector<std::string>& values) {
  std::stable_sort(values.begin(), values.end(),
                   [](const std::string& one, const std::string& other) { return one.size() > other.size(); });
}

}  // namespace kiln
