#pragma once

#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// What a walk from an image or index down to its layers does where a manifest is not in the store: it is an Error, or
// an end of the walk.
enum class Absent { refused, kept };

// All blobs that an image or index needs, itself included. Error{machine} where a manifest is unreadable, and for
// Absent::refused where one is missing.
std::vector<oci::Descriptor> closure_of(const ContentStore& store, const oci::Descriptor& root,
                                        Absent absent = Absent::refused);
// The members of that closure that are not in the store with their size.
std::vector<oci::Descriptor> missing_blobs(const ContentStore& store, const oci::Descriptor& root);

}  // namespace kiln
