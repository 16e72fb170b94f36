#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// The names of images: the entries of index.json, which any number of processes read and write. It is replaced as a
// whole, under the store's lock.

// An image (or index) that index.json names.
struct NamedImage {
  std::string name;  // org.opencontainers.image.ref.name: the full reference, or a bare local name; "" for none
  oci::Descriptor descriptor;
};

// Names images in one atomic write. A name that exists moves. Error{machine} where a blob that an image needs is not in
// the store: index.json never names what is not whole. Durable when it returns; where nothing changes, nothing is
// written.
void publish_images(ContentStore& store, std::span<const NamedImage> images);
// Takes names out; returns those that existed.
std::vector<std::string> unpublish_images(const ContentStore& store, std::span<const std::string> names);
std::optional<oci::Descriptor> find_image(const ContentStore& store, std::string_view name);
std::vector<NamedImage> named_images(const ContentStore& store);

}  // namespace kiln
