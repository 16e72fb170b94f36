#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace kiln {

// Where a chunk may end. The bounds belong to the format: others cut elsewhere, and nothing would be found again.
struct ChunkBounds {
  std::size_t least_bytes = std::size_t{64} << 10;
  std::size_t usual_bytes = std::size_t{256} << 10;  // a power of two
  std::size_t most_bytes = std::size_t{1} << 20;
};

// For a content of about so many bytes: larger ones are cut coarser, so that no list of chunks has much more than 8192
// of them, which a registry takes as the layers of one manifest. Up to 2 GiB they are the usual ones.
ChunkBounds chunk_bounds_for(std::uint64_t bytes);

// Cuts a stream into chunks by what it holds, so that a byte put in or taken out changes the chunk it stands in and, at
// most, a few after it: what follows is cut as before, wherever it stands now.
//
// A rolling "gear" hash h = 2h + G[byte] is 0 in chosen bits where a chunk ends; after 64 bytes nothing of what stood
// before is in it. Below the usual size two bits more are asked for than above it, so that sizes stay near the usual
// one (the normalised chunking of FastCDC, Xia and others 2016). Fixed-size blocks were rejected: one new wheel at the
// front of a cache would move all of them. G is made by splitmix64 and pinned by a test.
//
// For one thread at a time.
class Chunker {
 public:
  // `sink` gets each chunk, in order; the text is the chunker's until it returns.
  explicit Chunker(std::function<void(std::string_view chunk)> sink, ChunkBounds bounds = {});

  void write(std::string_view bytes);
  // The last chunk, unless nothing is left.
  void finish();

 private:
  // The size of the first chunk of `pending_`; 0 where its end has not come yet.
  std::size_t next_cut();
  void emit(std::size_t size);

  std::function<void(std::string_view)> sink_;
  ChunkBounds bounds_;
  std::uint64_t early_mask_;
  std::uint64_t late_mask_;
  std::string pending_;
  std::size_t scanned_ = 0;  // of pending_, without an end in it
  std::uint64_t hash_ = 0;   // at scanned_
};

}  // namespace kiln
