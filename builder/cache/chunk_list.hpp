#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/digest.hpp"

namespace kiln {

// A long content as the chunks it was cut into: what a cache mount's contents (a tar) are kept as in a shared cache,
// the chunks beside it as blobs. A content that changed a little shares most of its chunks with the one before.
//
// JSON, version 1: {"version": 1, "digest": DIGEST of all bytes, "bytes": N, "chunks": [[DIGEST, SIZE]...], "sum":
// HEX}. Invariant: the sizes add up to bytes, and no chunk is empty.
struct ChunkList {
  struct Chunk {
    oci::Digest digest;
    std::uint64_t bytes = 0;
    bool operator==(const Chunk&) const = default;
  };
  oci::Digest digest;
  std::uint64_t bytes = 0;
  std::vector<Chunk> chunks;

  bool operator==(const ChunkList&) const = default;
};

std::string serialise(const ChunkList& list);
// Takes it from anybody: Error{network} naming `where` for what is no such list or breaks the invariant.
ChunkList parse_chunk_list(std::string_view text, std::string_view where);

}  // namespace kiln
