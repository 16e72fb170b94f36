#pragma once

#include <atomic>
#include <cstdint>

namespace kiln {

// What moved over the wire. Shared by everything one command does; any thread.
struct WireStats {
  std::atomic<std::uint64_t> requests{0};  // sent, retries and token requests included
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> pushed_bytes{0};   // bodies of blobs and manifests sent, what was sent twice counted twice
  std::atomic<std::uint64_t> pulled_bytes{0};   // bodies of blobs and manifests received
  std::atomic<std::uint64_t> mounted_bytes{0};  // blobs that a registry took from another of its repositories
  std::atomic<std::uint64_t> skipped_bytes{0};  // blobs that were there
};

}  // namespace kiln
