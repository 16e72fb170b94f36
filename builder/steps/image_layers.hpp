#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/layer/layer.hpp"
#include "builder/steps/or_blocked.hpp"
#include "registry/oci/digest.hpp"
#include "registry/oci/platform.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// One layer of an image that is being built or reported on, and where it came from.
struct ImageLayer {
  LayerValue value;
  std::string key;   // of the step that made it; empty for a layer of a foreign base
  std::string file;  // the Dockerfile or definition
  int line = 0;      // 0 where no line made it
  std::string text;  // "COPY . /app"
  // Where its blob can be fetched from while the store does not have it.
  std::optional<RemoteRepository> remote;
  // References of the fleet's images that this one is built on and that have it too, the one it is built on last.
  std::vector<std::string> images;
  // Made by a kiln step, so it may be written again in another compression; a foreign base's layer stays as it is.
  bool is_own = true;
};

using ImageLayers = std::vector<ImageLayer>;

// The image at the bottom of a stage, for messages.
struct BaseOrigin {
  std::string reference;              // as people know it
  std::optional<oci::Digest> digest;  // of its manifest; nullopt for what has none (a Debian root file system)
  oci::Platform platform;             // as its config says

  std::string str() const;
};

// The key under which a shared cache has the file index of a layer that no kiln made: what its blob was verified to
// hold.
std::string foreign_layer_key(const oci::Digest& blob, const oci::Digest& diff_id);
// The key of what a shared cache says of the layer: its step's, or of a base's layer that key.
std::string statement_key(const ImageLayer& layer);

std::vector<oci::Digest> diff_ids_of(const ImageLayers& layers);

[[noreturn]] void refuse_lost(const Blocked& blocked);
// What is needed of layers that were found to be there: Error{machine} where one is gone meanwhile.
template <class Value>
Value still_there(OrBlocked<Value> value) {
  if (value.is_blocked()) refuse_lost(value.blocked());
  return std::move(value).value();
}

}  // namespace kiln
