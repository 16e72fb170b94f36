#include "registry/remote/proxy.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/address.hpp"

namespace kiln {

namespace {

std::string variable(const std::string& upper) {
  if (const auto value = environment_variable(upper); value && !value->empty()) return *value;
  return environment_variable(to_lower(upper)).value_or("");
}

std::string without_brackets(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

// Whether `host` is an address within "10.0.0.0/8".
bool in_network(const std::string& host, std::string_view network) {
  const std::size_t slash = network.find('/');
  if (slash == std::string_view::npos) return false;
  const auto bits = parse_unsigned(network.substr(slash + 1));
  const std::string base(network.substr(0, slash));
  for (const int family : {AF_INET, AF_INET6}) {
    unsigned char a[16], b[16];
    const std::uint64_t size = family == AF_INET ? 4 : 16;
    if (::inet_pton(family, host.c_str(), a) != 1 || ::inet_pton(family, base.c_str(), b) != 1) continue;
    if (!bits || *bits > size * 8) return false;
    const std::size_t whole = *bits / 8;
    if (std::memcmp(a, b, whole) != 0) return false;
    const unsigned rest = *bits % 8;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
  }
  return false;
}

bool matches(const Url& url, std::string_view pattern) {
  if (pattern == "*") return true;
  const std::string host = without_brackets(url.host);
  if (in_network(host, pattern)) return true;
  const std::size_t colon = pattern.rfind(':');
  if (colon != std::string_view::npos && pattern.find(':') == colon) {
    if (parse_unsigned(pattern.substr(colon + 1)) != url.port) return false;
    pattern = pattern.substr(0, colon);
  }
  if (pattern.starts_with("*.")) pattern.remove_prefix(1);
  if (pattern.starts_with('.')) return host.ends_with(pattern);
  return equals_ignoring_case(host, without_brackets(pattern)) || host.ends_with("." + std::string(pattern));
}

// curl and this agree where each part of it ends.
bool is_proxy(std::string_view text) {
  constexpr std::array<std::string_view, 6> kSchemes = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  if (const std::size_t mark = text.find("://"); mark != std::string_view::npos) {
    const std::string scheme = to_lower(text.substr(0, mark));
    if (std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end()) return false;
    text.remove_prefix(mark + 3);
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const auto is_odd = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
    const std::string_view user = text.substr(0, at);
    if (user.find_first_of("/?#") != std::string_view::npos || std::any_of(user.begin(), user.end(), is_odd))
      return false;
    text.remove_prefix(at + 1);
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  std::string_view host = text;
  std::string_view port;
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  if (const std::size_t colon = text.find(':', bracket); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    const auto number = parse_unsigned(port);
    if (!number || *number == 0 || *number > 65535) return false;
  }
  const auto is_of_host = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
  };
  if (bracket == 0) return !host.empty() && std::all_of(host.begin(), host.end(), is_of_host);
  return host.ends_with(']') && is_numeric_address(host);
}

}  // namespace

ProxySettings::ProxySettings(std::string http_proxy, std::string https_proxy, std::string_view no_proxy)
    : http_proxy_(std::move(http_proxy)), https_proxy_(std::move(https_proxy)) {
  for (const std::string_view entry : split(no_proxy, ',')) {
    if (const std::string_view name = trim(entry); !name.empty()) no_proxy_.push_back(to_lower(name));
  }
}

ProxySettings ProxySettings::from_environment() {
  const std::string all = variable("ALL_PROXY");
  std::string http = variable("HTTP_PROXY");
  std::string https = variable("HTTPS_PROXY");
  if (http.empty()) http = all;
  if (https.empty()) https = all;
  return ProxySettings(std::move(http), std::move(https), variable("NO_PROXY"));
}

std::optional<std::string> ProxySettings::proxy_for(const Url& url) const {
  const std::string& proxy = url.is_https() ? https_proxy_ : http_proxy_;
  if (proxy.empty()) return std::nullopt;
  if (oci::is_loopback_registry(url.host)) return std::nullopt;
  if (is_numeric_address(url.host) && classify_address(url.host) == AddressClass::loopback) return std::nullopt;
  for (const std::string& pattern : no_proxy_) {
    if (matches(url, pattern)) return std::nullopt;
  }
  check_proxy(proxy, url.is_https() ? "HTTPS_PROXY" : "HTTP_PROXY");
  return proxy;
}

void check_proxy(std::string_view text, std::string_view variable) {
  if (is_proxy(text)) return;
  throw Error(
      Category::network,
      fmt::format(
          "the proxy that {} or ALL_PROXY names is not the URL of one; expected http://USER:PASSWORD@HOST:PORT, with "
          "%2F for '/' and so on in USER and PASSWORD",
          variable));
}

}  // namespace kiln
