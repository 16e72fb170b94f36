#pragma once

#include <string>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/registry_error.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

struct ManifestBytes {
  oci::Descriptor descriptor;
  std::string bytes;
};

// What an image consists of: manifests with children first, and blobs, each once. Layers that by their media type are
// not to be pushed (OCI image spec, layer.md, "Non-Distributable Layers") are left out.
struct PushParts {
  std::vector<ManifestBytes> manifests;
  std::vector<oci::Descriptor> blobs;
};

PushParts parts_of_image(const ContentStore& store, const oci::Descriptor& root);

// What a message calls a blob of an image: "layer 3 of 5 ('RUN pip install torch')" by its config's history, "config",
// or the digest where neither is known.
std::string name_of_blob(const ContentStore& store, const PushParts& parts, const oci::Digest& blob);

// Whether every image of it says, by the label or the annotation org.opencontainers.image.source, which repository it
// is of: by that GitHub links a package to a repository. What is no image, or whose config the store does not have,
// says enough.
bool names_its_source(const ContentStore& store, const PushParts& parts);

// Whether a registry refused a manifest because something that it names is not there.
bool misses_a_part(const RegistryError& error);

}  // namespace kiln
