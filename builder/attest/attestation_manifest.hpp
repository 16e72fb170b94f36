#pragma once

#include <vector>

#include "builder/attest/statement.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Statements as buildx keeps them in an index (BuildKit, docs/attestations/attestation-storage.md): a manifest with an
// image's config and a layer for each statement, which every registry takes. In the store, ephemeral; returns its
// descriptor without what the index says of it.
oci::Descriptor put_attestation_manifest(ContentStore& store, const std::vector<Statement>& statements);

// The entry of such a manifest in an index: for the platform unknown/unknown, so that no engine runs it, with the image
// that it tells of.
oci::Descriptor attestation_entry(const oci::Descriptor& manifest, const oci::Digest& image);

// What such an entry says: the image that it tells of.
inline constexpr char kAttestedDigestAnnotation[] = "vnd.docker.reference.digest";
// What the layers of such a manifest, and artifacts that are attached, say of the statement in them.
inline constexpr char kPredicateTypeAnnotation[] = "in-toto.io/predicate-type";
// Of an attached artifact: the key of all that decided what is said.
inline constexpr char kAttestationKeyAnnotation[] = "dev.kiln.attestation.key";

}  // namespace kiln
