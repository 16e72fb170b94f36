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
    if (is_masked) {
      result += kMask;
      if (authority.substr(0, at).find(':') != std::string_view::npos) result.append(":").append(kMask);
      result += authority.substr(at);
    } else {
      result += authority;
    }
    text.remove_prefix(end);
  }
}

}  // namespace kiln
