#pragma once

#include <mutex>
#include <optional>
#include <string_view>

#include "registry/remote/remote_session.hpp"
#include "registry/remote/retry_loop.hpp"

namespace kiln {

// Where one registry is, and where it may lead its client (realm of a challenge, redirect, Location of an upload, next
// page):
//   - from https only to https; a realm over http only to loopback, the registry itself, or a host marked insecure;
//   - never to an address more private than the registry's own, checked on the address really connected to.
// Any thread.
class RegistryOrigin {
 public:
  // Borrows the session and the pace.
  RegistryOrigin(RemoteSession& session, Endpoint endpoint, RegistryPace& pace);

  const Endpoint& endpoint() const noexcept { return endpoint_; }
  // scheme://host[:port]; asks the registry the first time where that is not clear.
  const Url& base();
  // Whether credentials may go there.
  bool is_home(const Url& url) { return same_origin(url, base()); }
  // Where a Location of the registry leads, by the rules above.
  Url follow(const Url& from, std::string_view location);
  // Error{network} for a URL that the registry may not lead to; it knows base() by then.
  void check_led_to(const Url& url, bool carries_credentials) const;
  // Sends a request that is for the registry or that it led to: sets what the rules say of TLS and addresses, and
  // learns from the answer how private the registry is.
  HttpResponse send(HttpRequest& request);

 private:
  Url find_base();
  HttpResponse send_counted(HttpRequest& request);
  AddressClass own_class() const;
  void learn_address(const Url& url, const HttpResponse& response);

  RemoteSession& session_;
  Endpoint endpoint_;
  RegistryPace& pace_;
  std::mutex base_mutex_;
  std::optional<Url> base_;
  mutable std::mutex class_mutex_;
  std::optional<AddressClass> class_;
};

}  // namespace kiln
