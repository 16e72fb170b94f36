#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/block_joiner.hpp"

namespace kiln::test {

// A whole stream of blocks, as a blob has it, and its frames.
inline std::string compressed(const std::vector<std::string>& blocks, const Compression& compression,
                              std::vector<Frame>* frames = nullptr) {
  BlockCompressor compressor(compression);
  BlockJoiner joiner(compression.kind);
  std::string stream;
  std::vector<Frame> made;
  for (const std::string& block : blocks) {
    const std::string piece = joiner.next(compressor.compress(block), block.size());
    made.push_back({piece.size(), block.size()});
    stream += piece;
  }
  const std::string end = joiner.end();
  made.back().compressed_bytes += end.size();
  if (frames != nullptr) *frames = std::move(made);
  return stream + end;
}
inline std::string compressed(const std::string& block, const Compression& compression) {
  return compressed(std::vector{block}, compression);
}

}  // namespace kiln::test
