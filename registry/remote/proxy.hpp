#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/remote/url.hpp"

namespace kiln {

// Which requests go through a proxy: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, upper or lower case,
// read as Go's programs read them (so that kiln and docker agree). Loopback hosts are never proxied.
class ProxySettings {
 public:
  ProxySettings() = default;
  ProxySettings(std::string http_proxy, std::string https_proxy, std::string_view no_proxy);
  static ProxySettings from_environment();

  // The proxy's URL as it was written; nullopt for a direct connection. Error{network} where it is none.
  std::optional<std::string> proxy_for(const Url& url) const;

 private:
  std::string http_proxy_;
  std::string https_proxy_;
  std::vector<std::string> no_proxy_;
};

// Error{network}, which says nothing of the text, where it is not "[SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/]" with a
// scheme that curl has for proxies. curl and git repeat what they cannot read, or take a part of a password for a host
// and name it.
void check_proxy(std::string_view text, std::string_view variable);

}  // namespace kiln
