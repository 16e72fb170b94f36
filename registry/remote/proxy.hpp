#pragma once

#include <optional>
#include <string>
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

  // The proxy's URL as it was written; nullopt for a direct connection.
  std::optional<std::string> proxy_for(const Url& url) const;

 private:
  std::string http_proxy_;
  std::string https_proxy_;
  std::vector<std::string> no_proxy_;
};

}  // namespace kiln
