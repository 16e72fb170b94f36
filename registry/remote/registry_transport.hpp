#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "registry/remote/auth.hpp"
#include "registry/remote/http.hpp"
#include "registry/remote/registry_error.hpp"
#include "registry/remote/registry_origin.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/retry_loop.hpp"

namespace kiln {

enum class Retrying {
  yes,   // faults and transient refusals are tried again here; the body must be one that can be rewound
  once,  // the same, but once more at most: there is another way
  no,    // the caller sees the first fault: it knows what was moved already
};

struct RegistryRequest {
  HttpMethod method = HttpMethod::get;
  std::string path;        // "/v2/..." with its query, or
  std::optional<Url> url;  // where the registry led us (Location, next page)
  HttpHeaders headers;
  std::shared_ptr<RequestBody> body;
  std::string repository;  // whose credentials count; may be empty
  bool anonymous = false;  // no credentials go along, wherever it leads: somebody else than the registry says the URL
  Scope scope;
  Retrying retrying = Retrying::yes;
  std::function<bool(int, const HttpHeaders&)> wants_body;
  BodySink on_body;
  std::function<void(std::uint64_t)> on_sent;
  std::uint64_t max_body_bytes = std::uint64_t{4} << 20;
  std::uint64_t max_streamed_bytes = UINT64_MAX;
};

struct RegistryAnswer {
  HttpResponse response;
  Url url;              // the one that answered, after redirects: what its Location is relative to
  HttpRequest request;  // as sent there, for messages; its body and functions are gone

  // Docker-Content-Digest, where there is one that kiln can compare.
  std::optional<oci::Digest> stated_digest() const;
};

// Requests to one registry: login, redirects followed by hand, retries. Where the registry may lead is RegistryOrigin's
// question, how long is waited RegistryPace's. An Authorization field only ever goes to the registry's own origin, and
// credentials also to the realm it names. Any thread.
class RegistryTransport {
 public:
  RegistryTransport(RemoteSession& session, Endpoint endpoint, std::string credentials_name);

  // The answer, whatever its status, after login, redirects and (if wanted) retries.
  RegistryAnswer send(const RegistryRequest& request);

  const Endpoint& endpoint() const noexcept { return origin_.endpoint(); }
  RegistryPace& pace() noexcept { return pace_; }
  // Where a Location of the registry leads.
  Url follow(const Url& from, std::string_view location) { return origin_.follow(from, location); }
  // Whether an answer came from the registry itself, not from where it led.
  bool is_home(const Url& url) { return origin_.is_home(url); }
  // How fast uploads to here have been; 0 before the first that says anything.
  void note_upload(std::uint64_t bytes, double seconds);
  double upload_bytes_per_second() const;
  // Held while a referrers fallback tag is read and written: the registry has no such lock.
  std::mutex& fallback_tags_mutex() noexcept { return fallback_tags_mutex_; }
  // Whether mounting is worth a request: not after the registry failed at it again and again.
  bool mounts() const noexcept { return failed_mounts_ < kMostFailedMounts; }
  void note_mount(bool was_answered) noexcept { was_answered ? failed_mounts_ = 0 : ++failed_mounts_; }
  // RegistryError for an answer, with what can be done about it.
  [[noreturn]] void refuse(const RegistryAnswer& answer, const std::string& repository);

 private:
  static constexpr int kMostFailedMounts = 2;
  void ask_for_reason(const RegistryRequest& request, const Url& url, Scope& scope, RegistryAnswer& answer);
  RegistryAnswer send_once(const RegistryRequest& request, const Url& url, Scope& scope);
  RegistryAnswer send_to(const RegistryRequest& request, const Url& url, const std::string& authorization);
  HttpResponse ask_realm(HttpRequest request);
  Authenticator& authenticator(const std::string& repository);

  RemoteSession& session_;
  RegistryPace pace_;
  RegistryOrigin origin_;
  std::string credentials_name_;
  mutable std::mutex mutex_;
  std::mutex fallback_tags_mutex_;
  std::map<std::string, std::unique_ptr<Authenticator>> authenticators_;  // by credentials
  double upload_bytes_per_second_ = 0;
  std::atomic<int> failed_mounts_{0};
};

}  // namespace kiln
