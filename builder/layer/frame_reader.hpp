#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/compression.hpp"
#include "builder/layer/file_index.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Reads pieces of a layer's tar out of a blob whose frames are known: only the frames that they are in are inflated.
// What it returns is not verified, since the blob's digest is of all of it; the caller has digests of the files. For
// one thread at a time.
class FrameReader {
 public:
  // `frames` add up to the tar. Error{machine} where the store lacks the blob.
  FrameReader(const ContentStore& store, const oci::Descriptor& blob, const std::vector<Frame>& frames);

  // Error{build} for a damaged frame, and for what lies behind the tar's end. Pieces in the tar's order inflate each
  // frame once.
  std::string read(std::uint64_t offset, std::uint64_t bytes);

 private:
  struct Place {
    std::uint64_t blob_offset = 0;
    std::uint64_t tar_offset = 0;
    Frame frame;
  };
  const ByteBuffer& inflate(std::size_t number);

  std::string name_;
  Fd file_;
  CompressionKind kind_ = CompressionKind::none;  // of the blob's first bytes
  std::vector<Place> places_;
  std::optional<std::size_t> held_;  // the frame in held_bytes_
  ByteBuffer held_bytes_;
};

// Where the data of each of a layer's entries begins in the tar that LayerWriter makes of them, in the order of the
// index; nullopt where the layer is not such a tar, as far as its length tells.
std::optional<std::vector<std::uint64_t>> data_offsets(const FileIndex& index);

}  // namespace kiln
