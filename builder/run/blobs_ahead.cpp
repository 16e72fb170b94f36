#include "builder/run/blobs_ahead.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace kiln {

namespace {
constexpr std::size_t kAtOnce = 3;
}  // namespace

BlobsAhead::BlobsAhead(std::vector<std::function<void()>> fetches) : fetches_(std::move(fetches)) {
  for (std::size_t i = 0; i < std::min(fetches_.size(), kAtOnce); ++i) {
    workers_.push_back(std::async(std::launch::async, [this] { work(); }));
  }
}

BlobsAhead::~BlobsAhead() {
  stopping_ = true;
  for (std::future<void>& worker : workers_) worker.wait();
}

void BlobsAhead::work() {
  while (!stopping_) {
    const std::size_t number = next_++;
    if (number >= fetches_.size()) return;
    try {
      fetches_[number]();
    } catch (const std::exception&) {
      return;
    }
  }
}

}  // namespace kiln
