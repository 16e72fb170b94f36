#pragma once

#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/oci/reference.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

// How a command names an image: by a registry or, with --local, by the store.
struct ImageWords {
  std::string reference;
  std::string platform;  // empty: this machine's
  bool local = false;
};

// An image with its documents as their bytes are.
struct FoundImage {
  std::string name;      // the full reference
  oci::Descriptor root;  // what the name means: an index or a manifest
  std::string root_bytes;
  std::optional<oci::Index> index;  // where root is an index
  oci::Descriptor manifest;         // of the platform; root where that is a manifest
  std::string manifest_bytes;
  oci::Manifest parsed;
  std::string config_bytes;
  std::optional<oci::ImageConfig> config;  // nullopt: the manifest is no image's (an artifact)

  std::uint64_t layer_bytes() const;
};

// Error{network} where the registry has no such image or not for the platform; Error{usage}, with the nearest name,
// where the store has none.
FoundImage find_image(const ImageWords& words, const CancelToken& cancel);

// What a name means in the store: as it was given, or in its full form. Error{usage} with the nearest name.
NamedImage find_in_store(const ContentStore& store, const std::string& reference);

}  // namespace kiln::cli
