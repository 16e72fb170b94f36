#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "builder/layer/living_files.hpp"

namespace kiln {

// The contents of a context's files, hashed when a caller wants them or ahead of that. A caller that waits goes before
// what is hashed ahead. Files go by their numbers in the list. Any thread.
class ContextContents {
 public:
  // `tree` is borrowed; the digests that its scan knew are taken over.
  ContextContents(const fs::path& root, const ScannedTree& tree, HashTools tools, LivingFiles::Writers writers)
      : files_(root, tree, std::move(tools), writers) {}

  std::vector<LivingFiles::Content> read(std::span<const std::size_t> numbers);
  // Hashes them in small batches until `is_stopping`.
  void read_ahead(std::span<const std::size_t> numbers, const std::function<bool()>& is_stopping);

  bool is_gone(std::size_t number) const { return files_.is_gone(number); }
  std::unique_ptr<ByteSource> open(std::size_t number) const { return files_.open(number); }

 private:
  LivingFiles files_;
  std::mutex mutex_;             // one batch at a time
  std::atomic<int> waiting_{0};  // callers of read()
};

}  // namespace kiln
