#include "base/credentials.hpp"

namespace kiln {

namespace {

constexpr std::string_view kSign = "://";
constexpr std::string_view kMask = "xxxxx";

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

}  // namespace kiln
