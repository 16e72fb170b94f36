#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

namespace kiln {

// Bytes whose number is known beforehand and that are filled at once: unlike a string's they are not set to zero first.
// Copies share them.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  explicit ByteBuffer(std::size_t size) : bytes_(std::make_shared_for_overwrite<char[]>(size)), size_(size) {}

  // Only the first `size` bytes count from now on.
  void shrink(std::size_t size) noexcept { size_ = std::min(size_, size); }

  char* data() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {bytes_.get(), size_}; }

 private:
  std::shared_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

// Room that each thread keeps, until its next call: its pages are in memory already when the next block comes.
inline char* thread_scratch(std::size_t bytes) {
  thread_local ByteBuffer room;
  if (room.size() < bytes) room = ByteBuffer(bytes);
  return room.data();
}

}  // namespace kiln
