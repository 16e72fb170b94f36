#include "builder/layer/read_ahead.hpp"

#include <algorithm>
#include <cstring>

namespace kiln {

namespace {
constexpr std::size_t kPieceBytes = 512 << 10;
constexpr std::size_t kPieces = 8;
}  // namespace

ReadAheadSource::ReadAheadSource(std::unique_ptr<ByteSource> source)
    : source_(std::move(source)), held_(BufferOwner::read_ahead, (kPieces + 2) * kPieceBytes), thread_([this] { pull(); }) {}

ReadAheadSource::~ReadAheadSource() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAheadSource::pull() {
  for (bool more = true; more;) {
    ByteBuffer piece(kPieceBytes);
    std::exception_ptr failure;
    try {
      piece.shrink(read_fully(*source_, piece.data(), piece.size()));
      more = piece.size() == kPieceBytes;
    } catch (...) {
      failure = std::current_exception();
      more = false;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || ready_.size() < kPieces; });
    if (stopping_) return;
    if (failure) {
      failure_ = failure;
    } else if (piece.size() > 0) {
      ready_.push_back(std::move(piece));
    }
    ended_ = !more;
    changed_.notify_all();
  }
}

std::size_t ReadAheadSource::read(void* buffer, std::size_t size) {
  if (size == 0) return 0;
  if (taken_ == current_.size()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || ended_; });
    if (ready_.empty()) {
      if (failure_) std::rethrow_exception(failure_);
      return 0;
    }
    current_ = std::move(ready_.front());
    ready_.pop_front();
    taken_ = 0;
    lock.unlock();
    changed_.notify_all();
  }
  const std::size_t count = std::min(size, current_.size() - taken_);
  std::memcpy(buffer, current_.data() + taken_, count);
  taken_ += count;
  return count;
}

}  // namespace kiln
