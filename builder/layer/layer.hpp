#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/compression.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln {

// One form in which a layer's tar can be had. The descriptor's annotations say what is particular about it.
struct LayerBlob {
  oci::Descriptor descriptor;
  Compression compression;

  bool operator==(const LayerBlob&) const = default;
};

// A layer as a value: what it is (diff ID), the forms it can be had in, and its file index. The blobs need not be in
// the store: a layer that nothing on this machine needs is never downloaded.
struct LayerValue {
  oci::Digest diff_id;
  std::uint64_t unpacked_bytes = 0;  // bytes of the tar; 0 where it was not read yet
  std::vector<LayerBlob> blobs;
  std::optional<oci::Descriptor> index;
  // What of its step it holds, for people: "torch 2.3.1"; empty for a layer that is all of a step.
  std::string part = {};

  // The blob of that compression (any level where `compression` names none); nullptr where there is none.
  const LayerBlob* blob_of(const Compression& compression) const;

  bool operator==(const LayerValue&) const = default;
};

// For step records. from_json: Error{network} naming `where`, since records come from shared caches.
nlohmann::json to_json(const LayerValue& layer);
LayerValue layer_value_from_json(const nlohmann::json& value, std::string_view where);

}  // namespace kiln
