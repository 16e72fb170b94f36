#include "builder/layer/tar_pipe.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace kiln {

namespace {
constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::size_t kPieces = 16;
}  // namespace

TarPipe::TarPipe() : held_(BufferOwner::unpacking, (kPieces + 2) * kPieceBytes) {}

void TarPipe::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (filling_.size() == 0) filling_ = ByteBuffer(kPieceBytes);
    const std::size_t count = std::min(bytes.size(), kPieceBytes - filled_);
    std::memcpy(filling_.data() + filled_, bytes.data(), count);
    filled_ += count;
    bytes.remove_prefix(count);
    if (filled_ == kPieceBytes) send();
  }
}

void TarPipe::send() {
  ByteBuffer piece = std::exchange(filling_, {});
  piece.shrink(std::exchange(filled_, 0));
  if (piece.size() == 0) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_.size() < kPieces || !has_reader_; });
  if (!has_reader_) return;
  ready_.push_back(std::move(piece));
  changed_.notify_all();
}

void TarPipe::end() {
  send();
  stop(State::ended);
}

void TarPipe::abandon() { stop(State::abandoned); }

void TarPipe::stop(State state) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::open) state_ = state;
  changed_.notify_all();
}

std::size_t TarPipe::read(void* buffer, std::size_t size) {
  if (size == 0) return 0;
  if (taken_ == current_.size()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || state_ != State::open; });
    if (state_ == State::abandoned) throw Error(Category::cancelled, "the layer was not written to its end");
    if (ready_.empty()) return 0;
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
