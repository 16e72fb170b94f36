#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// A release: a name for the digests that the images of a fleet had at one time. At a registry it is an OCI artifact
// (OCI image spec, manifest.md, "Guidelines for Artifact Usage") under the tag NAME of the repository
// REGISTRY[/NAMESPACE]/releases: artifactType kReleaseType, the empty config, and one layer of media type kReleaseType
// that holds the record. The same JSON is the file that `kiln release create` writes. Grammar, version 1:
//
//   {"schema_version": 1,
//    "name": "v2026.11.20",                      a tag; every image of the release has it too
//    "created": "2026-11-20T12:00:00Z",          RFC 3339, UTC
//    "kiln_version": "0.1.0",
//    "registry": "ghcr.io/acme",                 registry and namespace; the artifact is in "/releases" below it
//    "images": [{                                sorted by repository, each repository once, never empty
//      "name": "memory-fusion-hub-mainpc",       the fleet's target
//      "repository": "ghcr.io/acme/memory-fusion-hub-mainpc",
//      "tag": "latest",                          the tag that was resolved
//      "digest": "sha256:...", "size": N, "media_type": "...",    of the manifest or index
//      "compressed_bytes": N                     all it consists of, each manifest and blob once
//    }]}
//
// A clean-up keeps what `digest` reaches in `repository`, and all that is in the releases repository.
inline constexpr char kReleaseType[] = "application/vnd.kiln.release.v1+json";
inline constexpr int kReleaseSchemaVersion = 1;
inline constexpr char kReleasesRepository[] = "releases";

struct ReleasedImage {
  std::string name;
  std::string repository;  // registry/path, as in oci::Reference::name()
  std::string tag;
  oci::Descriptor manifest;  // media type, digest and size of the manifest or index
  std::uint64_t compressed_bytes = 0;

  // "repository@digest".
  oci::Reference by_digest() const;

  bool operator==(const ReleasedImage&) const = default;
};

struct ReleaseRecord {
  std::string name;
  std::string created;
  std::string kiln_version;
  std::string registry;
  std::vector<ReleasedImage> images;

  // The image by its fleet name, its repository or that repository's last component; nullptr where there is none.
  const ReleasedImage* find(std::string_view wanted) const;

  bool operator==(const ReleaseRecord&) const = default;
};

// Where releases of a registry and namespace ("ghcr.io/acme") are. Error{usage} for what names no registry.
oci::Reference release_reference(const std::string& registry_and_namespace, const std::string& name);

std::string to_json_text(const ReleaseRecord& release);
// Error{category} that names `where` for anything the grammar does not allow. Unknown members are passed over, so that
// a later kiln may add some; another schema_version is refused.
ReleaseRecord parse_release(std::string_view text, std::string_view where, Category category);

// A release and the artifact that holds it.
struct StoredRelease {
  ReleaseRecord record;
  oci::Descriptor artifact;
};

// Error{network} where a record is of another registry and namespace than these, or holds images of another registry: a
// record that was copied, or made by somebody else, would lead to tags that were not asked for.
void require_of_registry(const ReleaseRecord& release, const std::string& registry_and_namespace);

// nullopt where the registry has none of that name. Error{network} where the tag names something else than a release,
// or one of another name or registry (require_of_registry()).
std::optional<StoredRelease> fetch_release(RemoteSession& session, const std::string& registry_and_namespace,
                                           const std::string& name);
// All releases, oldest first; empty where the repository does not exist. Tags that name something else are passed over;
// a release that cannot be read, or that is listed and cannot be had, is an error. A record of another registry is
// among them: what it names is released somewhere.
std::vector<StoredRelease> fetch_releases(RemoteSession& session, const std::string& registry_and_namespace);
// The artifact a record becomes: its bytes depend on nothing but the record.
oci::Descriptor release_artifact(const ReleaseRecord& release);
// Puts it at the registry under its name. What stood there is replaced; whether it may be is the caller's question.
oci::Descriptor put_release(RemoteSession& session, const ReleaseRecord& release);

}  // namespace kiln
