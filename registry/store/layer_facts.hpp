#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Small durable facts about layers that stand beside the image layout, a file each: "DIGEST NUMBER\n", the first one
// with the media type as third word. They may be asked and set from any thread and by any process; a file that is
// missing or damaged is a fact that is not established.

// The file index of a layer, by the layer's diff ID; nullopt also where the index is not in the store any more.
std::optional<oci::Descriptor> index_of_layer(const ContentStore& store, const oci::Digest& diff_id);
void set_index_of_layer(const ContentStore& store, const oci::Digest& diff_id, const oci::Descriptor& index);

// The blob that a layer was compressed to as `form` ("zstd", "gzip:6"; a file name), if it is still here and was
// verified to hold the layer; leased by this process then. The media type is left empty.
std::optional<oci::Descriptor> form_of_layer(ContentStore& store, const oci::Digest& diff_id, std::string_view form);
void set_form_of_layer(const ContentStore& store, const oci::Digest& diff_id, std::string_view form,
                       const oci::Descriptor& blob);

// What a layer blob was verified to hold.
struct BlobInfo {
  oci::Digest diff_id;
  std::uint64_t uncompressed_bytes;
};
std::optional<BlobInfo> blob_info(const ContentStore& store, const oci::Digest& blob);
void set_blob_info(const ContentStore& store, const oci::Digest& blob, const BlobInfo& info);

}  // namespace kiln
