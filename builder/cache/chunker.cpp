#include "builder/cache/chunker.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace kiln {

namespace {

constexpr std::uint64_t kSeed = 0x6b696c6e63686e6b;  // "kilnchnk"

constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = kSeed;
  for (std::uint64_t& value : gear) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    value = mixed ^ (mixed >> 31);
  }
  return gear;
}

constexpr auto kGear = make_gear();

// The topmost bits: they hold what the last 64 bytes left, the lowest only what the last few did.
std::uint64_t top_bits(int count) { return ~std::uint64_t{0} << (64 - count); }

}  // namespace

ChunkBounds chunk_bounds_for(std::uint64_t bytes) {
  constexpr std::uint64_t kUsualChunks = 8192;
  ChunkBounds bounds;
  while (bytes / bounds.usual_bytes > kUsualChunks) {
    bounds.least_bytes *= 2;
    bounds.usual_bytes *= 2;
    bounds.most_bytes *= 2;
  }
  return bounds;
}

Chunker::Chunker(std::function<void(std::string_view)> sink, ChunkBounds bounds)
    : sink_(std::move(sink)), bounds_(bounds) {
  const int bits = std::countr_zero(bounds.usual_bytes);
  early_mask_ = top_bits(bits + 1);
  late_mask_ = top_bits(bits - 1);
}

std::size_t Chunker::next_cut() {
  // Nothing before the least size can be an end, so nothing before it is looked at.
  if (scanned_ < bounds_.least_bytes) {
    if (pending_.size() <= bounds_.least_bytes) return 0;
    scanned_ = bounds_.least_bytes;
    hash_ = 0;
  }
  const std::size_t limit = std::min(pending_.size(), bounds_.most_bytes);
  for (; scanned_ < limit; ++scanned_) {
    hash_ = (hash_ << 1) + kGear[static_cast<unsigned char>(pending_[scanned_])];
    const std::uint64_t mask = scanned_ < bounds_.usual_bytes ? early_mask_ : late_mask_;
    if ((hash_ & mask) == 0) return scanned_ + 1;
  }
  return limit == bounds_.most_bytes ? limit : 0;
}

void Chunker::emit(std::size_t size) {
  sink_(std::string_view(pending_).substr(0, size));
  pending_.erase(0, size);
  scanned_ = 0;
  hash_ = 0;
}

void Chunker::write(std::string_view bytes) {
  // In portions, so that what is kept, and moved after each chunk, stays small.
  while (!bytes.empty()) {
    const std::string_view portion = bytes.substr(0, bounds_.most_bytes);
    pending_.append(portion);
    bytes.remove_prefix(portion.size());
    while (const std::size_t size = next_cut()) emit(size);
  }
}

void Chunker::finish() {
  if (!pending_.empty()) emit(pending_.size());
}

}  // namespace kiln
