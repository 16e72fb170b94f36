#include "builder/attest/attestation_manifest.hpp"

#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln {

oci::Descriptor put_attestation_manifest(ContentStore& store, const std::vector<Statement>& statements) {
  oci::Manifest manifest;
  oci::ImageConfig config;
  config.platform = oci::Platform::unknown();
  for (const Statement& statement : statements) {
    oci::Descriptor layer = store.put(statement.text, oci::media_type::kInToto, Durability::ephemeral);
    layer.annotations[kPredicateTypeAnnotation] = statement.predicate_type;
    config.diff_ids.push_back(layer.digest);
    manifest.layers.push_back(std::move(layer));
  }
  manifest.config = store.put(serialise(config), oci::media_type::kOciConfig, Durability::ephemeral);
  return store.put(serialise(manifest), manifest.media_type, Durability::ephemeral);
}

oci::Descriptor attestation_entry(const oci::Descriptor& manifest, const oci::Digest& image) {
  oci::Descriptor entry{oci::media_type::kOciManifest, manifest.digest, manifest.size, {}, {}, {}};
  entry.platform = oci::Platform::unknown();
  entry.annotations = {{kAttestedDigestAnnotation, image.str()}, {"vnd.docker.reference.type", "attestation-manifest"}};
  return entry;
}

}  // namespace kiln
