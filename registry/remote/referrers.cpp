#include "registry/remote/referrers.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/text.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

constexpr char kEmptyDocument[] = "{}";

Descriptor artifact_descriptor(const ArtifactBlob& blob) {
  return {blob.media_type, oci::sha256_of(blob.bytes), blob.bytes.size(), blob.annotations, {}, {}};
}

ArtifactBlob config_of(const Artifact& artifact) {
  return artifact.config.value_or(ArtifactBlob{oci::media_type::kOciEmpty, kEmptyDocument});
}

oci::Manifest manifest_with_subject(const Artifact& artifact, const Descriptor& subject) {
  oci::Manifest manifest;
  manifest.artifact_type = artifact.artifact_type;
  manifest.config = artifact_descriptor(config_of(artifact));
  for (const ArtifactBlob& layer : artifact.layers) manifest.layers.push_back(artifact_descriptor(layer));
  // Media type, digest and size alone: what else an index says of the subject is not what makes it the subject.
  manifest.subject = Descriptor{subject.media_type, subject.digest, subject.size, {}, {}, {}};
  manifest.annotations = artifact.annotations;
  return manifest;
}

// As artifacts were before OCI 1.1: the config's media type is the artifact's.
oci::Manifest manifest_without_subject(oci::Manifest manifest) {
  if (manifest.config.media_type == oci::media_type::kOciEmpty) manifest.config.media_type = manifest.artifact_type;
  manifest.artifact_type.clear();
  manifest.subject.reset();
  return manifest;
}

void upload_artifact_blobs(RegistryClient& client, const std::string& repository, const Artifact& artifact) {
  std::set<Digest> done;
  const auto upload = [&](const ArtifactBlob& blob) {
    const Descriptor descriptor = artifact_descriptor(blob);
    if (!done.insert(descriptor.digest).second) return;
    if (!client.find_blob(repository, descriptor.digest).matches(descriptor))
      client.upload_bytes(repository, descriptor, blob.bytes);
  };
  upload(config_of(artifact));
  for (const ArtifactBlob& layer : artifact.layers) upload(layer);
}

struct PutArtifact {
  Descriptor descriptor;
  SubjectAnswer subject;
};

PutArtifact put_artifact(RegistryClient& client, const std::string& repository, const oci::Manifest& manifest) {
  const std::string bytes = oci::serialise(manifest);
  const Descriptor descriptor{manifest.media_type, oci::sha256_of(bytes), bytes.size(), {}, {}, {}};
  const SubjectAnswer answer =
      client.put_unlisted_manifest(repository, descriptor.digest.str(), bytes, manifest.media_type);
  return {descriptor, answer};
}

// Whether a registry that answers so may take the artifact without what OCI 1.1 added.
bool refuses_the_document(const RegistryError& error) {
  if (error.has_code("MANIFEST_BLOB_UNKNOWN") || error.has_code("BLOB_UNKNOWN")) return false;
  const bool is_refusal = error.status() == 400 || error.status() == 415 || error.status() == 422;
  return is_refusal || (error.status() < 500 && error.has_code("MANIFEST_INVALID"));
}

std::string artifact_place(const RegistryClient& client, const std::string& repository, const Digest& subject) {
  return fmt::format("'{}/{}@{}'", client.endpoint().authority, repository, subject.str());
}

[[noreturn]] void refuse_missing_api(const RegistryClient& client) {
  throw Error(Category::network,
              fmt::format("registry '{}' has no referrers API (OCI distribution spec 1.1); let the fallback tag list "
                          "what is attached",
                          client.endpoint().authority));
}

AttachedReferrer attach(RegistryClient& client, const std::string& repository, const Descriptor& subject,
                        const Artifact& artifact, ReferrersWay way) {
  if (way == ReferrersWay::api && !client.referrers_by_api(repository, subject.digest)) refuse_missing_api(client);
  upload_artifact_blobs(client, repository, artifact);
  const oci::Manifest manifest = manifest_with_subject(artifact, subject);
  AttachedReferrer attached;
  std::optional<PutArtifact> put;
  try {
    put = put_artifact(client, repository, manifest);
  } catch (const RegistryError& error) {
    if (way == ReferrersWay::api || !refuses_the_document(error)) throw;
    attached.refusal = error.message();
  }
  if (!put) put = put_artifact(client, repository, manifest_without_subject(manifest));

  attached.referrer = {put->descriptor, artifact.artifact_type, artifact.annotations};
  if (put->subject == SubjectAnswer::listed && way != ReferrersWay::tag && attached.refusal.empty()) return attached;
  if (way == ReferrersWay::api) refuse_missing_api(client);
  attached.listed_by = ReferrersWay::tag;
  Descriptor entry = put->descriptor;
  entry.artifact_type = artifact.artifact_type;
  entry.annotations = artifact.annotations;
  client.add_to_fallback_tag(repository, subject.digest, entry);
  return attached;
}

std::vector<Descriptor> listed_descriptors(RegistryClient& client, const std::string& repository, const Digest& subject,
                                           const std::string& artifact_type, ReferrersWay way) {
  if (way == ReferrersWay::tag) return client.referrers_by_tag(repository, subject, artifact_type);
  auto by_api = client.referrers_by_api(repository, subject, artifact_type);
  if (way == ReferrersWay::api) {
    if (!by_api) refuse_missing_api(client);
    return *std::move(by_api);
  }
  if (by_api && !by_api->empty()) return *std::move(by_api);
  return client.referrers_by_tag(repository, subject, artifact_type);
}

}  // namespace

AttachedReferrer attach_referrer(RegistryClient& client, const std::string& repository, const Descriptor& subject,
                                 const Artifact& artifact, ReferrersWay way) {
  return with_context(
      [&] {
        return fmt::format("while attaching '{}' to {}", printable(artifact.artifact_type),
                           artifact_place(client, repository, subject.digest));
      },
      [&] {
        if (artifact.artifact_type.empty() || artifact.layers.empty())
          throw Error(Category::usage, "expected an artifact with a type and at least one layer");
        return attach(client, repository, subject, artifact, way);
      });
}

std::vector<Referrer> list_referrers(RegistryClient& client, const std::string& repository, const Digest& subject,
                                     const std::string& artifact_type, ReferrersWay way) {
  std::vector<Referrer> referrers;
  std::set<Digest> seen;
  for (Descriptor& entry : listed_descriptors(client, repository, subject, artifact_type, way)) {
    if (!seen.insert(entry.digest).second) continue;
    Referrer referrer{{entry.media_type, entry.digest, entry.size, {}, {}, {}}, entry.artifact_type, entry.annotations};
    referrers.push_back(std::move(referrer));
  }
  return referrers;
}

}  // namespace kiln
