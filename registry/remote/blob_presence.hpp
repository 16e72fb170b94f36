#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/registry_transport.hpp"

namespace kiln {

// What a registry says of a blob. Some answer 200 and leave its size out.
struct BlobPresence {
  bool is_there = false;
  std::optional<std::uint64_t> size;

  // It is there and nothing speaks against its being that blob.
  bool matches(const oci::Descriptor& blob) const { return is_there && (!size || *size == blob.size); }
};

// Whether the repository has a blob, and its size where the registry tells it: by HEAD, else by a GET of one byte.
BlobPresence find_blob(RegistryTransport& transport, const std::string& repository, const oci::Digest& digest);

}  // namespace kiln
