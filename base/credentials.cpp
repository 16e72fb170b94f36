#include "base/credentials.hpp"

#include <algorithm>

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
                          const std::function<bool(std::size_t offset)>& counts) {
  std::string result;
  std::size_t begin = 0;
  for (std::size_t at = text.find(value); at != std::string_view::npos; at = text.find(value, begin)) {
    result += text.substr(begin, at - begin);
    result += !counts || counts(at) ? kValueMask : value;
    begin = at + value.size();
  }
  result += text.substr(begin);
  return result;
}

void sort_for_masking(std::vector<std::string>& values) {
  std::stable_sort(values.begin(), values.end(),
                   [](const std::string& one, const std::string& other) { return one.size() > other.size(); });
}

}  // namespace kiln
