#include "builder/layer/tar_pipe.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kiln {

namespace {
constexpr std::size_t kPieces = 8;
}  // namespace

TarPipe::TarPipe(BufferOwner owner) : held_(owner, (kPieces + 2) * kPieceBytes) {}

void TarPipe::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (filling_.size() == 0) filling_ = ByteBuffer(kPieceBytes);
    const std::size_t count = std::min(bytes.size(), kPieceBytes - filled_);
    std::memcpy(filling_.data() + filled_, bytes.data(), count);
    filled_ += count;
    bytes.remove_prefix(count);
    if (filled_ == kPieceBytes) send_filled();
  }
}

void TarPipe::send_filled() {
  ByteBuffer piece = std::exchange(filling_, {});
  piece.shrink(std::exchange(filled_, 0));
  write(std::move(piece));
}

bool TarPipe::write(ByteBuffer piece) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_.size() < kPieces || !has_reader_; });
  if (has_reader_ && piece.size() > 0) ready_.push_back(std::move(piece));
  changed_.notify_all();
  return has_reader_;
}

void TarPipe::end() {
  send_filled();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void TarPipe::fail(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (!ended_) failure_ = std::move(error);
  ended_ = true;
  changed_.notify_all();
}

std::size_t TarPipe::read(void* buffer, std::size_t size) {
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
    changed_.notify_all();
  }
  const std::size_t count = std::min(size, current_.size() - taken_);
  std::memcpy(buffer, current_.data() + taken_, count);
  taken_ += count;
  return count;
}

void TarPipe::close_reader() {
  const std::lock_guard lock(mutex_);
  has_reader_ = false;
  ready_.clear();
  changed_.notify_all();
}

}  // namespace kiln
