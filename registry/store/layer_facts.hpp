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

// A layer by its shape: a hash (64 hex digits) of names, sizes and properties of its entries, but not of what is in its
// files. A blob of a layer of that shape in a form, if it is still here; leased by this process then. Who wants the
// same layer has to compare diff IDs.
// Its file is "HEX-FORM-shape" beside those of form_of_layer(), "DIGEST SIZE\n".
std::optional<oci::Descriptor> blob_of_shape(ContentStore& store, std::string_view shape, std::string_view form);
void set_blob_of_shape(const ContentStore& store, std::string_view shape, std::string_view form,
                       const oci::Descriptor& blob);

// What a layer blob was verified to hold.
struct BlobInfo {
  oci::Digest diff_id;
  std::uint64_t unpacked_bytes;
};
std::optional<BlobInfo> blob_info(const ContentStore& store, const oci::Digest& blob);
void set_blob_info(const ContentStore& store, const oci::Digest& blob, const BlobInfo& info);

}  // namespace kiln
