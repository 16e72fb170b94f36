#include "builder/packages/layer_density.hpp"

#include <algorithm>

namespace kiln {

LayerDensity::LayerDensity(const FileIndex& index, const oci::Descriptor& blob) {
  const std::vector<Frame>* frames = index.frames_of(blob.digest);
  std::uint64_t compressed = 0;
  if (frames != nullptr) {
    for (const Frame& frame : *frames) compressed += frame.compressed_bytes;
  }
  if (compressed == 0) {
    const auto all = static_cast<double>(std::max<std::uint64_t>(index.unpacked_bytes(), 1));
    pieces_.push_back({index.unpacked_bytes(), static_cast<double>(blob.size) / all});
    return;
  }
  // What a blob has beside its frames is shared out over them.
  const double scale = static_cast<double>(blob.size) / static_cast<double>(compressed);
  std::uint64_t end = 0;
  for (const Frame& frame : *frames) {
    if (frame.unpacked_bytes == 0) continue;
    end += frame.unpacked_bytes;
    pieces_.push_back(
        {end, scale * static_cast<double>(frame.compressed_bytes) / static_cast<double>(frame.unpacked_bytes)});
  }
}

double LayerDensity::compressed_bytes(std::uint64_t offset, std::uint64_t bytes) const {
  double sum = 0;
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                [](std::uint64_t at, const Piece& of) { return at < of.end; });
  for (; piece != pieces_.end() && bytes > 0; ++piece) {
    const std::uint64_t inside = std::min(bytes, piece->end - offset);
    sum += piece->density * static_cast<double>(inside);
    offset += inside;
    bytes -= inside;
  }
  return sum;
}

}  // namespace kiln
