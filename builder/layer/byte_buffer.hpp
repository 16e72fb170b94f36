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

  // At least `size` bytes; what was in it is lost where it was smaller.
  void grow(std::size_t size) {
    if (size_ < size) *this = ByteBuffer(size);
  }
  // Only the first `size` bytes count from now on.
  void shrink(std::size_t size) noexcept { size_ = std::min(size_, size); }

  char* data() const noexcept { return bytes_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {bytes_.get(), size_}; }

 private:
  std::shared_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace kiln
