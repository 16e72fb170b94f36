#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// An image (or index) by digest in a repository.
struct ImageAtRegistry {
  RemoteRepository place;
  oci::Descriptor root;  // the digest decides; size and media type are checked where they are given (size 0: not)
};

// What was found of one image. Layers that by their media type stay elsewhere (OCI image spec, layer.md,
// "Non-Distributable Layers") are not asked for.
struct ImageVerdict {
  oci::Descriptor root;       // as the registry has it
  std::size_t manifests = 0;  // fetched and recomputed, the root included
  std::size_t blobs = 0;      // configs and layers, each once
  std::uint64_t bytes = 0;    // of manifests and blobs, each once
  std::vector<std::string>
      problems;  // "blob 'sha256:...': expected 512 bytes, the repository does not have it"; empty: whole
  bool is_whole() const noexcept { return problems.empty(); }
};

// Looks whether images are whole where they are: every manifest is fetched and its digest recomputed, every config and
// layer is asked for by HEAD and its size compared, all of them in parallel. One verdict for each image in their order;
// a registry that cannot be reached or refuses to answer is an Error{network}.
std::vector<ImageVerdict> verify_images(RemoteSession& session, std::span<const ImageAtRegistry> images);

}  // namespace kiln
