#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/oci/digest.hpp"
#include "registry/remote/blob_presence.hpp"
#include "registry/remote/registry_error.hpp"
#include "registry/remote/registry_lists.hpp"
#include "registry/remote/registry_manifests.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/upload_source.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// The OCI distribution protocol (distribution-spec 1.1), spoken with one registry. A light handle on shared
// state: copy it freely, any thread. Every method retries what is worth retrying, logs in as needed, follows
// redirects within the rules of RegistryTransport, checks digests and sizes of what it gets, and counts in
// the session's WireStats. Throws RegistryError for refusals, TransportError where no server answers,
// Error{network} for answers that are wrong. "key" is a tag or a digest.
class RegistryClient {
 public:
  RegistryClient(RemoteSession& session, std::shared_ptr<RegistryTransport> transport);

  const Endpoint& endpoint() const;

  // GET /v2/: throws where the registry cannot be reached or refuses us.
  void ping();
  // Asks for the right to push to a repository, without pushing: starts an upload and cancels it.
  void check_push_access(const std::string& repository);

  // HEAD of a manifest: digest, size, media type; nullopt where there is none (404).
  std::optional<oci::Descriptor> resolve(const std::string& repository, const std::string& key);
  // The manifest's bytes. With `expected` digest, size and media type must be those. Error where it is
  // missing.
  FetchedManifest fetch_manifest(const std::string& repository, const std::string& key,
                                 const std::optional<oci::Descriptor>& expected = {});
  // The same; nullopt where there is none (404).
  std::optional<FetchedManifest> find_manifest(const std::string& repository, const std::string& key,
                                               const std::optional<oci::Descriptor>& expected = {});
  // The same for a clean-up, which must know of manifests that kiln can do nothing with (docker's schema 1, what is no
  // JSON): they come with the media type that the registry says.
  std::optional<FetchedManifest> find_any_manifest(const std::string& repository, const std::string& key);
  // Puts a manifest under a tag or its digest and checks what the registry says it stored, by its digest: others may
  // move a tag as soon as it is there, and some registries show it late. A manifest with a `subject` is added to the
  // subject's fallback tag where the registry does not list referrers by itself.
  oci::Descriptor put_manifest(const std::string& repository, const std::string& key, const std::string& bytes,
                               const std::string& media_type);
  // The same without the fallback tag, and what the registry made of the manifest's subject.
  SubjectAnswer put_unlisted_manifest(const std::string& repository, const std::string& key, const std::string& bytes,
                                      const std::string& media_type);
  // Adds an entry to the subject's fallback tag, unless it lists that digest already. All else in it stays as it is.
  void add_to_fallback_tag(const std::string& repository, const oci::Digest& subject, const oci::Descriptor& entry);
  // Deletes a manifest by digest, or a tag where the registry allows that. False where there was none.
  bool delete_manifest(const std::string& repository, const std::string& key);

  // Whether the repository has a blob, and its size where the registry tells it: by HEAD, else by a GET of one byte.
  BlobPresence find_blob(const std::string& repository, const oci::Digest& digest);
  // Mounts a blob from another repository of this registry. False where the registry did not (any reason: the
  // upload it may have begun instead is cancelled). A registry that fails at it twice is not asked again.
  bool mount_blob(const std::string& repository, const oci::Descriptor& blob, const std::string& from_repository);
  void upload_blob(const std::string& repository, const oci::Descriptor& blob, UploadSource& source,
                   const ByteProgress& progress = {});
  // The best rate of this session's uploads of 8 MiB and more; 0 before the first.
  double upload_bytes_per_second() const;
  // Small blobs, from memory.
  void upload_bytes(const std::string& repository, const oci::Descriptor& blob, const std::string& bytes);

  // Streams bytes [offset, blob.size) to `sink`, going on by range after faults, until it says stop. The digest is for
  // the caller to check; the size is checked.
  void stream_blob(const std::string& repository, const oci::Descriptor& blob, std::uint64_t offset,
                   const BodySink& sink);
  // Into the store, verified; nothing is published under a wrong digest. A blob that arrives with a wrong
  // digest is fetched once more before that is an error. Nothing is done where the store has it.
  void download_blob(const std::string& repository, const oci::Descriptor& blob, ContentStore& store,
                     Durability durability = Durability::durable, const ByteProgress& progress = {},
                     WriteBehind::Pages pages = WriteBehind::Pages::keep);
  // The same; false where the repository does not have it (404).
  bool download_blob_if_there(const std::string& repository, const oci::Descriptor& blob, ContentStore& store);
  // A whole small blob, verified. Error where it is missing.
  std::string fetch_blob_bytes(const std::string& repository, const oci::Descriptor& blob,
                               std::uint64_t max_bytes = kMaxDocumentBytes);
  // The same; nullopt where the repository does not have it (404).
  std::optional<std::string> find_blob_bytes(const std::string& repository, const oci::Descriptor& blob,
                                             std::uint64_t max_bytes = kMaxDocumentBytes);

  // All tags, in the registry's order, over all pages. What stands there and is no tag is warned about and left out.
  std::vector<std::string> list_tags(const std::string& repository);
  // The same, with what is no tag; nullopt where there is no such repository (404).
  std::optional<TagList> find_tags(const std::string& repository);
  // All repositories, over all pages ("_catalog", which many registries do not offer). What is no repository's name is
  // warned about and left out.
  std::vector<std::string> list_repositories();
  // What refers to a manifest, by the referrers API or the fallback tag; filtered where artifact_type is
  // given.
  std::vector<oci::Descriptor> referrers(const std::string& repository, const oci::Digest& subject,
                                         const std::string& artifact_type = {});
  // The same by the API alone; nullopt where the registry has none.
  std::optional<std::vector<oci::Descriptor>> referrers_by_api(const std::string& repository,
                                                               const oci::Digest& subject,
                                                               const std::string& artifact_type = {});
  // The same by the fallback tag alone.
  std::vector<oci::Descriptor> referrers_by_tag(const std::string& repository, const oci::Digest& subject,
                                                const std::string& artifact_type = {});

 private:
  static constexpr std::uint64_t kMaxDocumentBytes = std::uint64_t{16} << 20;

  RemoteSession* session_;
  std::shared_ptr<RegistryTransport> transport_;
};

}  // namespace kiln
