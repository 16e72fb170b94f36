#pragma once

#include <optional>
#include <string>

#include "registry/store/content_store.hpp"

namespace kiln {

// What this home has said of images: so that an image which did not change is not told of again. A file for each image
// beside the image layout, named by its manifest, with lines
//   KEY at HOST[:PORT]/REPOSITORY    what has this key was attached to the image there
//   KEY is DIGEST SIZE               it was written as the manifest with this digest
// KEY (64 hex digits) is a hash of all that decides what is said. What it says was true once: a registry may have lost
// it since. It may be asked and written from any thread and by any process; of two that write at once one is lost.

bool was_attached(const ContentStore& store, const oci::Digest& image, const std::string& key,
                  const std::string& place);
// A home that may not be written keeps what it knows.
void note_attached(const ContentStore& store, const oci::Digest& image, const std::string& key,
                   const std::string& place);

// The manifest, leased, if it is still here with its size; its media type is left empty.
std::optional<oci::Descriptor> attestation_of_image(ContentStore& store, const oci::Digest& image,
                                                    const std::string& key);
void note_attestation_of_image(const ContentStore& store, const oci::Digest& image, const std::string& key,
                               const oci::Descriptor& manifest);

}  // namespace kiln
