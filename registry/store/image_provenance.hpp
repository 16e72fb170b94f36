#pragma once

#include <optional>
#include <string>

#include "registry/store/content_store.hpp"

namespace kiln {

// How an image of this home was made, as the build that made it tells it: so that who pushes it later can tell it too.
struct ImageProvenance {
  std::string key;        // 64 hex digits: of all that decides what is told, but for commits, versions and times
  std::string predicate;  // JSON on one line

  bool operator==(const ImageProvenance&) const = default;
};

// A file for each image, named by its manifest; the first line is the key, the second one the predicate. It stays as
// long as the image. Any thread and any process; of two that write at once one is kept. A damaged file is none.
std::optional<ImageProvenance> provenance_of_image(const ContentStore& store, const oci::Digest& image);

// Whether the provenance that is kept of the image has this key.
bool keeps_provenance(const ContentStore& store, const oci::Digest& image, const std::string& key);

// In place of what was kept. A home that may not be written keeps what it has.
void keep_provenance(const ContentStore& store, const oci::Digest& image, const ImageProvenance& provenance);
void forget_provenance(const ContentStore& store, const oci::Digest& image);

}  // namespace kiln
