#include "registry/remote/registry_client.hpp"

#include <fmt/format.h>

#include "base/percent.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/blob_download.hpp"
#include "registry/remote/blob_upload.hpp"
#include "registry/remote/registry_transport.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

// A registry may filter, or list all.
void keep_type(std::vector<Descriptor>& referrers, const std::string& artifact_type) {
  if (artifact_type.empty()) return;
  std::erase_if(referrers, [&](const Descriptor& entry) { return entry.artifact_type != artifact_type; });
}

}  // namespace

RegistryClient::RegistryClient(RemoteSession& session, std::shared_ptr<RegistryTransport> transport)
    : session_(&session), transport_(std::move(transport)) {}

const Endpoint& RegistryClient::endpoint() const { return transport_->endpoint(); }

void RegistryClient::ping() {
  RegistryRequest request;
  request.path = "/v2/";
  const RegistryAnswer answer = transport_->send(request);
  if (answer.response.status != 200) transport_->refuse(answer, "");
}

void RegistryClient::check_push_access(const std::string& repository) {
  RegistryRequest request;
  request.method = HttpMethod::post;
  request.path = "/v2/" + repository + "/blobs/uploads/";
  request.repository = repository;
  request.scope = Scope::pull_push(repository);
  const RegistryAnswer answer = transport_->send(request);
  if (answer.response.status != 202) transport_->refuse(answer, repository);
  cancel_upload(*transport_, repository, answer);
}

std::optional<Descriptor> RegistryClient::resolve(const std::string& repository, const std::string& key) {
  return RegistryManifests(*session_, *transport_).resolve(repository, key);
}

FetchedManifest RegistryClient::fetch_manifest(const std::string& repository, const std::string& key,
                                               const std::optional<Descriptor>& expected) {
  return RegistryManifests(*session_, *transport_).fetch(repository, key, expected);
}

std::optional<FetchedManifest> RegistryClient::find_manifest(const std::string& repository, const std::string& key,
                                                             const std::optional<Descriptor>& expected) {
  return RegistryManifests(*session_, *transport_).find(repository, key, expected);
}

std::optional<FetchedManifest> RegistryClient::find_any_manifest(const std::string& repository,
                                                                 const std::string& key) {
  return RegistryManifests(*session_, *transport_).find_any(repository, key);
}

Descriptor RegistryClient::put_manifest(const std::string& repository, const std::string& key, const std::string& bytes,
                                        const std::string& media_type) {
  return RegistryManifests(*session_, *transport_).put(repository, key, bytes, media_type);
}

SubjectAnswer RegistryClient::put_unlisted_manifest(const std::string& repository, const std::string& key,
                                                    const std::string& bytes, const std::string& media_type) {
  return RegistryManifests(*session_, *transport_).put_unlisted(repository, key, bytes, media_type);
}

void RegistryClient::add_to_fallback_tag(const std::string& repository, const Digest& subject,
                                         const Descriptor& entry) {
  RegistryManifests(*session_, *transport_).add_to_fallback_tag(repository, subject, entry);
}

bool RegistryClient::delete_manifest(const std::string& repository, const std::string& key) {
  return RegistryManifests(*session_, *transport_).remove(repository, key);
}

BlobPresence RegistryClient::find_blob(const std::string& repository, const Digest& digest) {
  return kiln::find_blob(*transport_, repository, digest);
}

bool RegistryClient::mount_blob(const std::string& repository, const Descriptor& blob,
                                const std::string& from_repository) {
  if (!transport_->mounts()) return false;
  RegistryRequest request;
  request.retrying = Retrying::once;
  request.method = HttpMethod::post;
  request.path = fmt::format("/v2/{}/blobs/uploads/?mount={}&from={}", repository, percent_encoded(blob.digest.str()),
                             percent_encoded(from_repository));
  request.repository = repository;
  request.scope = Scope::pull_push(repository).with(Scope::pull(from_repository));
  RegistryAnswer answer;
  try {
    answer = transport_->send(request);
  } catch (const TransportError&) {
    throw;
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    // A token server may refuse the pair of scopes; the upload that follows will say what is wrong, if it
    // still is.
    session_->log().debug(fmt::format("mounting from '{}': {}", from_repository, error.message()));
    return false;
  }
  transport_->note_mount(answer.response.status < 500);
  if (answer.response.status == 202) cancel_upload(*transport_, repository, answer);
  if (answer.response.status != 201) return false;
  const auto said = answer.stated_digest();
  if (said && *said != blob.digest) return false;
  session_->stats().mounted_bytes += blob.size;
  return true;
}

void RegistryClient::upload_blob(const std::string& repository, const Descriptor& blob, UploadSource& source,
                                 const ByteProgress& progress) {
  BlobUpload(*session_, *transport_, repository, blob, source).run(progress);
}

void RegistryClient::upload_bytes(const std::string& repository, const Descriptor& blob, const std::string& bytes) {
  upload_blob(repository, blob, *bytes_of_blob(bytes));
}

double RegistryClient::upload_bytes_per_second() const { return transport_->upload_bytes_per_second(); }

void RegistryClient::stream_blob(const std::string& repository, const Descriptor& blob, std::uint64_t offset,
                                 const BodySink& sink) {
  BlobDownload download(*session_, *transport_, repository, blob);
  if (const auto absence = download.stream(offset, sink)) download.refuse(*absence);
}

void RegistryClient::download_blob(const std::string& repository, const Descriptor& blob, ContentStore& store,
                                   Durability durability, const ByteProgress& progress, WriteBehind::Pages pages) {
  BlobDownload download(*session_, *transport_, repository, blob);
  if (const auto absence = download.store(store, durability, progress, pages)) download.refuse(*absence);
}

bool RegistryClient::download_blob_if_there(const std::string& repository, const Descriptor& blob,
                                            ContentStore& store) {
  return !BlobDownload(*session_, *transport_, repository, blob)
              .store(store, Durability::durable, {}, WriteBehind::Pages::keep);
}

std::string RegistryClient::fetch_blob_bytes(const std::string& repository, const Descriptor& blob,
                                             std::uint64_t max_bytes) {
  BlobDownload download(*session_, *transport_, repository, blob);
  std::string bytes;
  if (const auto absence = download.read(max_bytes, bytes)) download.refuse(*absence);
  return bytes;
}

std::optional<std::string> RegistryClient::find_blob_bytes(const std::string& repository, const Descriptor& blob,
                                                           std::uint64_t max_bytes) {
  std::string bytes;
  if (BlobDownload(*session_, *transport_, repository, blob).read(max_bytes, bytes)) return std::nullopt;
  return bytes;
}

std::vector<std::string> RegistryClient::list_tags(const std::string& repository) {
  return RegistryLists(*session_, *transport_).tags(repository);
}

std::optional<TagList> RegistryClient::find_tags(const std::string& repository) {
  return RegistryLists(*session_, *transport_).find_tags(repository);
}

std::vector<std::string> RegistryClient::list_repositories() {
  return RegistryLists(*session_, *transport_).repositories();
}

std::vector<Descriptor> RegistryClient::referrers(const std::string& repository, const Digest& subject,
                                                  const std::string& artifact_type) {
  auto listed = referrers_by_api(repository, subject, artifact_type);
  return listed ? *std::move(listed) : referrers_by_tag(repository, subject, artifact_type);
}

std::optional<std::vector<Descriptor>> RegistryClient::referrers_by_api(const std::string& repository,
                                                                        const Digest& subject,
                                                                        const std::string& artifact_type) {
  auto listed = RegistryLists(*session_, *transport_).referrers(repository, subject, artifact_type);
  if (listed) keep_type(*listed, artifact_type);
  return listed;
}

std::vector<Descriptor> RegistryClient::referrers_by_tag(const std::string& repository, const Digest& subject,
                                                         const std::string& artifact_type) {
  const auto index = find_manifest(repository, referrers_fallback_tag(subject));
  if (!index) return {};
  const std::string where = fmt::format("referrers of '{}/{}@{}'", endpoint().authority, repository, subject.str());
  std::vector<Descriptor> found = oci::parse_index(index->bytes, where).manifests;
  keep_type(found, artifact_type);
  return found;
}

}  // namespace kiln
