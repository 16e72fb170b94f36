#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/store/layer_facts.hpp"

namespace kiln {

// What stays of a layer for a while after garbage collection took its blob, if a push or a pull saw that at a registry:
// the blob of its shape, what the blob was verified to hold, and the places it was seen in. So who makes a layer of
// that shape again can find it at the registry. Any thread, any process, as in layer_facts.hpp.

constexpr int kRememberedDays = 30;  // since the shape was noted last

// The blob of a shape in a form, whether or not it is still here; leased by this process then. The media type is left
// empty.
std::optional<oci::Descriptor> noted_blob_of_shape(ContentStore& store, std::string_view shape, std::string_view form);
// All places where a blob was seen, "HOST[:PORT]/REPOSITORY", the newest first.
std::vector<std::string> seen_places(const ContentStore& store, const oci::Digest& blob);

// For garbage collection: the blobs of which facts stay, whether or not they are here, and the names of the facts of
// shapes among those of form_of_layer().
std::set<oci::Digest> remembered_blobs(const ContentStore& store);
bool is_shape_fact(std::string_view name);

}  // namespace kiln
