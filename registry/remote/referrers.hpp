#pragma once

#include <optional>
#include <string>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

// One document of an artifact.
struct ArtifactBlob {
  std::string media_type;
  std::string bytes;
  oci::Annotations annotations = {};
};

// What is attached to an image: an image manifest with `artifactType` (OCI image spec 1.1, manifest.md, "Guidelines for
// Artifact Usage").
struct Artifact {
  std::string artifact_type;
  std::vector<ArtifactBlob> layers;         // at least one
  std::optional<ArtifactBlob> config = {};  // none: the empty config, "{}"
  oci::Annotations annotations = {};        // of the manifest, and of its entry in a list of referrers
};

// An artifact that says that it belongs to a manifest, as a registry lists it.
struct Referrer {
  oci::Descriptor descriptor;  // of the artifact's manifest
  std::string artifact_type;
  oci::Annotations annotations;

  bool operator==(const Referrer&) const = default;
};

// How a registry lists the referrers of a manifest (OCI distribution spec 1.1).
enum class ReferrersWay {
  automatic,  // the API where the registry has it, else the fallback tag
  api,        // "Listing Referrers"; an error where the registry has no such API
  tag,        // "Referrers Tag Schema": an index under the tag "sha256-<hex of the subject>"
};

// What attaching came to.
struct AttachedReferrer {
  Referrer referrer;
  ReferrersWay listed_by = ReferrersWay::api;  // api or tag
  // Why the registry did not take the artifact with its `subject` and `artifactType`, in its own words; "" where it
  // did. Then the artifact is stored without the two, its type is that of its config, and the fallback tag alone tells
  // what it belongs to.
  std::string refusal;
};

// Attaches an artifact to a manifest or index of the repository: uploads its blobs, puts its manifest by its digest,
// and sees that it is listed. The same artifact attached again changes nothing. The fallback tag is read, changed and
// written; what others write there at the same time is kept (RegistryClient::add_to_fallback_tag). Error{usage} where
// the artifact has no type or no layer. Throws what RegistryClient throws besides.
AttachedReferrer attach_referrer(RegistryClient& client, const std::string& repository, const oci::Descriptor& subject,
                                 const Artifact& artifact, ReferrersWay way = ReferrersWay::automatic);

// What is attached to a manifest, each digest once, in the registry's order; of one artifact type where that is given.
// Automatic asks the API, and the fallback tag where there is no API or it lists nothing: somebody may have written
// that tag before the registry had the API, or on purpose. Bounded as docs/limits.md says; what is listed need not be
// there, and who attached it is not known.
std::vector<Referrer> list_referrers(RegistryClient& client, const std::string& repository, const oci::Digest& subject,
                                     const std::string& artifact_type = {}, ReferrersWay way = ReferrersWay::automatic);

}  // namespace kiln
