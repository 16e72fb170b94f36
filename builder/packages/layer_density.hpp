#pragma once

#include <cstdint>
#include <vector>

#include "builder/layer/file_index.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln {

// What parts of a layer's tar come to in its blob. Where the blob's frames are known, as of each that kiln wrote, a
// file's share is that of its frames by unpacked bytes: each has 4 MiB of tar, and stands apart from the others. Else
// it is that of the whole blob.
class LayerDensity {
 public:
  LayerDensity(const FileIndex& index, const oci::Descriptor& blob);

  // Of a run of the tar. Entries are taken to stand in entry order, as kiln writes them.
  double compressed_bytes(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  struct Piece {
    std::uint64_t end = 0;  // in the tar
    double density = 0;     // compressed bytes of one unpacked one
  };
  std::vector<Piece> pieces_;
};

}  // namespace kiln
