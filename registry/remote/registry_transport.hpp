#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "registry/remote/auth.hpp"
#include "registry/remote/http.hpp"
#include "registry/remote/registry_error.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/retry.hpp"

namespace kiln {

enum class Retrying {
  yes,  // faults and transient refusals are tried again here; the body must be one that can be rewound
  no,   // the caller sees the first fault: it knows what was moved already
};

struct RegistryRequest {
  HttpMethod method = HttpMethod::get;
  std::string path;        // "/v2/..." with its query, or
  std::optional<Url> url;  // where the registry led us (Location, next page)
  HttpHeaders headers;
  std::shared_ptr<RequestBody> body;
  std::string repository;  // whose credentials count; may be empty
  Scope scope;
  Retrying retrying = Retrying::yes;
  std::function<bool(int, const HttpHeaders&)> wants_body;
  std::function<void(std::string_view)> on_body;
  std::function<void(std::uint64_t)> on_sent;
  std::uint64_t max_body_bytes = std::uint64_t{4} << 20;
  std::uint64_t max_streamed_bytes = UINT64_MAX;
};

struct RegistryAnswer {
  HttpResponse response;
  Url url;              // the one that answered, after redirects: what its Location is relative to
  HttpRequest request;  // as sent there, for messages; its body and functions are gone
};

class RegistryTransport;

// Counts the attempts at one piece of work and waits between them. Not for several threads.
class RetryLoop {
 public:
  explicit RetryLoop(RegistryTransport& transport) : transport_(transport) {}
  // Waits and says yes where it is worth trying again; no where the fault stands. Error{cancelled} on cancel.
  bool again(const TransportError& fault);
  bool again(const HttpResponse& response);
  // There was progress: the next fault counts as the first.
  void progressed() { attempt_ = 0; }

 private:
  bool pause(double seconds);
  RegistryTransport& transport_;
  int attempt_ = 0;
};

// Requests to one registry: its base URL, login, throttling, retries, and redirects followed by hand. The
// rules for where a registry may lead its client (realm of a challenge, redirect, Location of an upload, next
// page):
//   - from https only to https; a realm over http only to loopback, the registry itself, or a host marked
//   insecure;
//   - never to an address more private than the registry's own, checked on the address really connected to;
//   - an Authorization field only ever goes to the registry's own origin, and credentials also to its realm.
// Any thread.
class RegistryTransport {
 public:
  RegistryTransport(RemoteSession& session, Endpoint endpoint, std::string credentials_name);

  // The answer, whatever its status, after login, redirects and (if wanted) retries.
  RegistryAnswer send(const RegistryRequest& request);

  const Endpoint& endpoint() const noexcept { return endpoint_; }
  // scheme://host[:port]; asks the registry the first time where that is not clear.
  const Url& base();
  // Where a Location of the registry leads, by the rules above.
  Url follow(const Url& from, std::string_view location);
  // How fast uploads to here have been; 0 before the first that says anything.
  void note_upload(std::uint64_t bytes, double seconds);
  double upload_bytes_per_second() const;
  // Held while a referrers fallback tag is read and written: the registry has no such lock.
  std::mutex& fallback_tags_mutex() noexcept { return fallback_tags_mutex_; }
  // RegistryError for an answer, with what can be done about it.
  [[noreturn]] void refuse(const RegistryAnswer& answer, const std::string& repository);

 private:
  friend class RetryLoop;
  void ask_for_reason(const RegistryRequest& request, const Url& url, Scope& scope, RegistryAnswer& answer);
  RegistryAnswer send_once(const RegistryRequest& request, const Url& url, Scope& scope);
  RegistryAnswer send_to(const RegistryRequest& request, const Url& url, const std::string& authorization);
  HttpResponse send_counted(HttpRequest& request);
  HttpResponse ask_realm(HttpRequest request);
  Url find_base();
  double backoff(int attempt);
  void check_led_to(const Url& url, bool carries_credentials) const;
  AddressClass own_class() const;
  void learn_address(const Url& url, const HttpResponse& response);
  Authenticator& authenticator(const std::string& repository);

  RemoteSession& session_;
  Endpoint endpoint_;
  std::string credentials_name_;
  TokenBucket bucket_;
  mutable std::mutex mutex_;
  std::mutex base_mutex_;
  std::mutex fallback_tags_mutex_;
  std::optional<Url> base_;
  std::optional<AddressClass> class_;
  std::map<std::string, std::unique_ptr<Authenticator>> authenticators_;  // by credentials
  double upload_bytes_per_second_ = 0;
  std::mt19937_64 random_;
};

}  // namespace kiln
