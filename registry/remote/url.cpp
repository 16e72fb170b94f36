#include "registry/remote/url.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  // Only what stands before the query, and nothing that could be userinfo.
  std::string_view shown = text.substr(0, text.find('?'));
  if (const std::size_t at = shown.find('@'); at != std::string_view::npos) shown = shown.substr(at + 1);
  throw Error(Category::network, fmt::format("url '{}': {}", printable(shown.substr(0, 300)), why));
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

// With a space and all that is no ASCII as %XX, which no request may hold. Registries and their storage send such
// Locations, and Go's, curl's and browsers' clients read them so.
std::string with_escapes(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == ' ' || byte >= 0x80) {
      escaped += fmt::format("%{:02X}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// Removes "." and ".." segments (RFC 3986, 5.2.4).
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const std::vector<std::string_view> segments = split(path.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (segments[i] == "." || segments[i] == "..") {
      if (segments[i] == ".." && !kept.empty()) kept.pop_back();
      if (last) kept.push_back({});
      continue;
    }
    kept.push_back(segments[i]);
  }
  std::string result;
  for (const std::string_view segment : kept) {
    result += '/';
    result += segment;
  }
  return result.empty() ? "/" : result;
}

}  // namespace

Url Url::parse(std::string_view text) {
  const auto unprintable = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (text.size() > 16384) refuse(text, "longer than 16384 characters");
  if (std::any_of(text.begin(), text.end(), unprintable)) refuse(text, "holds a control character");
  Url url;
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) refuse(text, "no http or https url");
  url.scheme = to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") refuse(text, "no http or https url");
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  if (authority.find('@') != std::string_view::npos) refuse(text, "user names in urls are not accepted");
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) refuse(text, "unfinished IPv6 address");
    url.host = to_lower(authority.substr(0, close + 1));
    if (url.host.find_first_not_of("[]0123456789abcdef:.") != std::string::npos) refuse(text, "no IPv6 address");
    if (close + 1 < authority.size()) {
      if (authority[close + 1] != ':') refuse(text, "no port after the IPv6 address");
      port = authority.substr(close + 2);
      if (port.empty()) refuse(text, "no port after ':'");
    }
  } else {
    const std::size_t at = authority.find(':');
    url.host = to_lower(authority.substr(0, at));
    if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), is_host_char)) refuse(text, "no host name");
    if (at != std::string_view::npos) {
      port = authority.substr(at + 1);
      if (port.empty()) refuse(text, "no port after ':'");
    }
  }
  url.port = url.is_https() ? 443 : 80;
  if (!port.empty()) {
    const auto number = parse_unsigned(port);
    if (!number || *number == 0 || *number > 65535) refuse(text, "no port number after ':'");
    url.port = static_cast<std::uint16_t>(*number);
  }
  const std::size_t question = rest.find('?');
  url.path = with_escapes(rest.substr(0, question));
  if (url.path.empty()) url.path = "/";
  url.path = without_dot_segments(url.path);
  if (question != std::string_view::npos) url.query = with_escapes(rest.substr(question + 1));
  return url;
}

Url Url::resolve(std::string_view location) const {
  location = trim(location);
  if (location.empty()) refuse(redacted(), "led to an empty location");
  const std::size_t colon = location.find(':');
  if (colon != std::string_view::npos && colon < location.find_first_of("/?#")) return parse(location);
  if (location.starts_with("//")) return parse(scheme + ":" + std::string(location));
  if (location.starts_with('/')) return parse(origin() + std::string(location));
  if (location.starts_with('?')) return parse(origin() + path + std::string(location));
  return parse(origin() + path.substr(0, path.rfind('/') + 1) + std::string(location));
}

std::string Url::authority() const { return has_default_port() ? host : fmt::format("{}:{}", host, port); }

std::string Url::str() const { return query.empty() ? redacted() : redacted() + "?" + query; }

void Url::add_query(std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  query += percent_encoded(name) + "=" + percent_encoded(value);
}

bool is_http_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

bool same_origin(const Url& a, const Url& b) { return a.scheme == b.scheme && a.host == b.host && a.port == b.port; }

}  // namespace kiln
