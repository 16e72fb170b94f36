#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <vector>

namespace kiln {

// Fetches blobs in the background, a few at a time and in their order, while the first of them are unpacked. What fails
// fails again for whoever asks for that blob. The destructor begins no other and waits for those that are on their way.
class BlobsAhead {
 public:
  explicit BlobsAhead(std::vector<std::function<void()>> fetches);
  ~BlobsAhead();
  BlobsAhead(const BlobsAhead&) = delete;
  BlobsAhead& operator=(const BlobsAhead&) = delete;

 private:
  void work();

  std::vector<std::function<void()>> fetches_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::future<void>> workers_;
};

}  // namespace kiln
