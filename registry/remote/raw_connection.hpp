#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/remote/address.hpp"
#include "registry/remote/proxy.hpp"
#include "registry/remote/url.hpp"

namespace kiln {

// A connection to the server of a URL for somebody else's HTTP/1.1: with TLS for https, whose certificate is verified,
// and through this machine's proxy as every other transfer. For one thread.
class RawConnection {
 public:
  struct Options {
    ProxySettings proxies;
    std::string authorities;                                 // PEM, in place of the system's; empty: the system's
    std::vector<std::pair<std::string, std::string>> hosts;  // name and address: known without asking
    // The most private address that is connected to without a proxy, checked on the one really used. A name of `hosts`
    // leads where its address says. Beyond it: TransportFault::refused.
    AddressClass most_private = AddressClass::link_local;
    int connect_timeout_ms = 30'000;
    std::function<bool()> is_cancelled = [] { return false; };
  };

  // Waits until it is there. TransportError as of other requests.
  static RawConnection open(const Url& url, const Options& options);
  // To the host and port of the URL as they are, whatever its scheme: TLS is the caller's.
  static RawConnection open_tunnel(const Url& url, const Options& options);
  RawConnection(RawConnection&&) noexcept;
  RawConnection& operator=(RawConnection&&) noexcept;
  ~RawConnection();

  // What is there; "" at the end; nullopt where nothing is there yet. Error{network} where the connection broke.
  std::optional<std::string> read();
  // How many of the bytes were taken; flush() sends what the kernel did not take yet, and is false where some is left.
  // Error{network} where the connection broke.
  std::size_t write(std::string_view bytes);
  bool flush();
  int descriptor() const;

  // A plain http request through a proxy names its server in its first line, and the proxy in its fields; empty without
  // a proxy.
  bool wants_absolute_target() const;
  const std::string& proxy_authorization() const;  // "Basic ..."

 private:
  struct State;
  static RawConnection connect(const Url& url, const Options& options, bool is_tunnel);
  explicit RawConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kiln
