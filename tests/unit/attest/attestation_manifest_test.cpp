#include "builder/attest/attestation_manifest.hpp"

#include <doctest/doctest.h>

#include "base/temp_dir.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

using namespace kiln;

TEST_CASE("statements stand in a manifest as buildx reads it") {
  const TempDir folder;
  ContentStore store(HomeLayout::open(folder.path()));
  const oci::Descriptor put =
      put_attestation_manifest(store, {{kSpdxPredicate, "{\"a\":1}"}, {kProvenancePredicate, "{}"}});
  CHECK(put.media_type == "application/vnd.oci.image.manifest.v1+json");
  const oci::Manifest manifest = oci::parse_manifest(store.read(put.digest), "manifest");
  CHECK(manifest.config.media_type == "application/vnd.oci.image.config.v1+json");
  REQUIRE(manifest.layers.size() == 2);
  CHECK(manifest.layers[0].media_type == "application/vnd.in-toto+json");
  CHECK(manifest.layers[0].annotations == oci::Annotations{{"in-toto.io/predicate-type", "https://spdx.dev/Document"}});
  CHECK(manifest.layers[1].annotations.at("in-toto.io/predicate-type") == "https://slsa.dev/provenance/v1");
  CHECK(store.read(manifest.layers[0].digest) == "{\"a\":1}");
  const oci::ImageConfig config = oci::parse_image_config(store.read(manifest.config.digest), "config");
  CHECK(config.platform.os == "unknown");
  CHECK(config.platform.architecture == "unknown");
  CHECK(config.diff_ids == std::vector<oci::Digest>{manifest.layers[0].digest, manifest.layers[1].digest});
}

TEST_CASE("the entry of such a manifest names the image and runs nowhere") {
  const oci::Digest image = oci::sha256_of("image");
  const oci::Descriptor entry = attestation_entry({"", oci::sha256_of("manifest"), 7, {}, {}, {}}, image);
  CHECK(entry.platform->str() == "unknown/unknown");
  CHECK(entry.size == 7);
  CHECK(entry.annotations == oci::Annotations{{"vnd.docker.reference.digest", image.str()},
                                              {"vnd.docker.reference.type", "attestation-manifest"}});
}
