#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "registry/oci/digest.hpp"
#include "registry/remote/credentials.hpp"
#include "registry/remote/http.hpp"
#include "registry/remote/registries_conf.hpp"
#include "registry/remote/retry.hpp"
#include "registry/remote/wire_stats.hpp"

namespace kiln {

class RegistryClient;
class RegistryTransport;

// A repository of a registry as it is really asked, e.g. of a mirror.
struct RemoteRepository {
  Endpoint endpoint;
  std::string repository;

  std::string name() const { return endpoint.authority + "/" + repository; }
  auto operator<=>(const RemoteRepository&) const = default;
};

// Where blobs are known to be. Pulls and pushes write it, pushes read it to mount a blob or to stream it from
// one registry to the other. Any thread.
class BlobLocations {
 public:
  void add(const oci::Digest& blob, const RemoteRepository& place);
  // It was not there after all.
  void forget(const oci::Digest& blob, const RemoteRepository& place);
  std::vector<RemoteRepository> find(const oci::Digest& blob) const;

  // Where else the images of a repository are: the registry that it mirrors, and that one's other mirrors.
  void note_others(const RemoteRepository& place, std::vector<RemoteRepository> others);
  // The places, and after them the others of each, every one once.
  std::vector<RemoteRepository> with_others(std::vector<RemoteRepository> places) const;

 private:
  mutable std::mutex mutex_;
  std::map<oci::Digest, std::set<RemoteRepository>> places_;
  std::map<RemoteRepository, std::vector<RemoteRepository>> others_;
};

struct RemoteSettings {
  CredentialEnvironment credentials;
  RegistriesConf registries;
  RetryPolicy retry;
  std::size_t parallel_requests = 16;  // threads of a push or a pull
  double requests_per_second = 100;    // a registry's token bucket; loopback registries are not limited
  double request_burst = 200;
  int timeout_ms = 0;  // to connect, for an answer to begin, and while no byte moves; 0: HttpOptions' own
  std::uint64_t upload_chunk_bytes = std::uint64_t{16} << 20;  // of chunked uploads, which are the exception

  static RemoteSettings from_environment();
};

// Everything one command shares while it talks to registries: connections, credentials, tokens, throttling,
// counters, and what is known about where blobs are. Outlives every client made from it. Any thread.
class RemoteSession {
 public:
  // `http` sends; `clock` waits between retries (tests hand in one that does not sleep).
  RemoteSession(std::unique_ptr<HttpClient> http, RemoteSettings settings, Log& log, CancelToken cancel,
                WaitClock& clock = system_wait_clock());
  // The usual one: libcurl, proxies, certs.d and settings from the environment.
  static std::unique_ptr<RemoteSession> open(RemoteSettings settings, Log& log, CancelToken cancel);
  ~RemoteSession();
  RemoteSession(const RemoteSession&) = delete;
  RemoteSession& operator=(const RemoteSession&) = delete;

  // A client for an endpoint, with that endpoint's own credentials (docker.io's for registry-1.docker.io).
  RegistryClient client(const Endpoint& endpoint);
  // A client for where an image's repository is pushed to and inspected at, and the repository's name there.
  // Error{network} where registries.conf blocks it.
  RegistryClient client_for(const oci::Reference& reference);
  RemoteRepository repository_of(const oci::Reference& reference) const;

  const RemoteSettings& settings() const noexcept { return settings_; }
  const RegistriesConf& registries() const noexcept { return settings_.registries; }
  const CredentialStore& credentials() const noexcept { return credentials_; }
  WireStats& stats() noexcept { return stats_; }
  const WireStats& stats() const noexcept { return stats_; }
  BlobLocations& locations() noexcept { return locations_; }
  // One lock a blob: the process that downloads it holds it, so that no other does at the same time.
  std::shared_ptr<std::mutex> download_lock(const oci::Digest& blob);
  Log& log() noexcept { return log_; }
  WaitClock& clock() noexcept { return clock_; }
  HttpClient& http() noexcept { return *http_; }
  const CancelToken& cancel() const noexcept { return cancel_; }

 private:
  std::unique_ptr<HttpClient> http_;
  RemoteSettings settings_;
  Log& log_;
  CancelToken cancel_;
  WaitClock& clock_;
  CredentialStore credentials_;
  WireStats stats_;
  BlobLocations locations_;
  std::mutex mutex_;
  std::map<Endpoint, std::shared_ptr<RegistryTransport>> transports_;
  std::map<oci::Digest, std::shared_ptr<std::mutex>> download_locks_;
};

}  // namespace kiln
