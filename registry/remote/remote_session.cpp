#include "registry/remote/remote_session.hpp"

#include <algorithm>

#include "registry/remote/docker_hub.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/registry_transport.hpp"

namespace kiln {

namespace {}  // namespace

void BlobLocations::add(const oci::Digest& blob, const RemoteRepository& place) {
  const std::lock_guard lock(mutex_);
  places_[blob].insert(place);
}

void BlobLocations::forget(const oci::Digest& blob, const RemoteRepository& place) {
  const std::lock_guard lock(mutex_);
  if (const auto found = places_.find(blob); found != places_.end()) found->second.erase(place);
}

std::vector<RemoteRepository> BlobLocations::find(const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(blob);
  if (found == places_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

void BlobLocations::note_others(const RemoteRepository& place, std::vector<RemoteRepository> others) {
  const std::lock_guard lock(mutex_);
  others_[place] = std::move(others);
}

std::vector<RemoteRepository> BlobLocations::with_others(std::vector<RemoteRepository> places) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto found = others_.find(places[i]);
    if (found == others_.end()) continue;
    for (const RemoteRepository& other : found->second) {
      if (std::find(places.begin(), places.end(), other) == places.end()) places.push_back(other);
    }
  }
  return places;
}

RemoteSettings RemoteSettings::from_environment() {
  RemoteSettings settings;
  settings.credentials = CredentialEnvironment::from_process();
  settings.registries = RegistriesConf::from_environment();
  return settings;
}

RemoteSession::RemoteSession(std::unique_ptr<HttpClient> http, RemoteSettings settings, Log& log, CancelToken cancel,
                             WaitClock& clock)
    : http_(std::move(http)),
      settings_(std::move(settings)),
      log_(log),
      cancel_(std::move(cancel)),
      clock_(clock),
      credentials_(settings_.credentials, cancel_) {}

RemoteSession::~RemoteSession() = default;

std::unique_ptr<RemoteSession> RemoteSession::open(RemoteSettings settings, Log& log, CancelToken cancel) {
  HttpOptions options;
  if (settings.timeout_ms > 0) {
    options.connect_timeout_ms = options.stall_timeout_ms = options.answer_timeout_ms = settings.timeout_ms;
  }
  options.proxies = ProxySettings::from_environment();
  options.certificates = [folders = certificate_folders()](const std::string& authority) {
    return find_certificates(folders, authority);
  };
  return std::make_unique<RemoteSession>(make_curl_client(std::move(options)), std::move(settings), log,
                                         std::move(cancel));
}

RegistryClient RemoteSession::client(const Endpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  auto& transport = transports_[endpoint];
  if (!transport) {
    const std::string credentials_name(endpoint.authority == kDockerHubHost ? kDockerHub : endpoint.authority);
    transport = std::make_shared<RegistryTransport>(*this, endpoint, credentials_name);
  }
  return RegistryClient(*this, transport);
}

std::shared_ptr<std::mutex> RemoteSession::download_lock(const oci::Digest& blob) {
  const std::lock_guard lock(mutex_);
  auto& found = download_locks_[blob];
  if (!found) found = std::make_shared<std::mutex>();
  return found;
}

RegistryClient RemoteSession::client_for(const oci::Reference& reference) {
  return client(registries().push_place(reference).endpoint);
}

RemoteRepository RemoteSession::repository_of(const oci::Reference& reference) const {
  const PullPlace place = registries().push_place(reference);
  return {place.endpoint, place.repository};
}

}  // namespace kiln
