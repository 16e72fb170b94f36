#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "builder/steps/layer_access.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln {

// How an image is written from its config and layers.
struct AssemblyOptions {
  Compression compression;
  bool force_compression = false;
  bool oci_media_types = true;
  bool is_run_as_image = true;  // false: only its files are wanted, whatever machine they are for
  // Of the image and of history entries without a time; nullopt: as docker has it, from the times of the layers around.
  std::optional<UnixSeconds> created;
  std::optional<oci::Platform> platform;                 // over the base image's
  std::map<std::string, std::string> labels;             // over the Dockerfile's
  std::vector<std::pair<std::string, std::string>> env;  // over the Dockerfile's: a profile's values
  oci::Annotations annotations;                          // of the manifest
};

// An image whose config and manifest are in the store.
struct AssembledImage {
  oci::Descriptor manifest;
  oci::Descriptor config;
  oci::Manifest parsed;
  oci::ImageConfig image;
  ImageLayers layers;  // each with the blob that the manifest names as its first
};

// Whether a layer has to be compressed anew for such an image, for which its blob must be here.
bool is_recompressed(const ImageLayer& layer, const AssemblyOptions& options);

// Writes config and manifest. Layers of kiln's own are compressed anew where they exist in another compression only;
// those of a foreign base keep their blobs (unless force_compression). Blobs are ephemeral: the caller syncs.
// Error{build} for an image that its platform cannot run (see check_machines).
AssembledImage assemble_image(LayerAccess& access, oci::ImageConfig config, ImageLayers layers,
                              const AssemblyOptions& options, const std::optional<BaseOrigin>& base);

}  // namespace kiln
