#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace kiln {

// Whose buffers. Each is bounded by a constant of its room, or by what a build really uses (file indexes); that the
// bounds hold is tested by what --debug-memory says of them, which no other tool can tell apart.
enum class BufferOwner { compression, decompression, read_ahead, unpacking, file_indexes, transfers };

const char* to_string(BufferOwner owner);  // such as "file indexes"

// Says for as long as it lives that its owner holds that many bytes. Cheap enough for every block of a layer; not for
// every file. May be made in one thread and end in another.
class HeldBytes {
 public:
  HeldBytes(BufferOwner owner, std::uint64_t bytes) : owner_(owner) { set(bytes); }
  HeldBytes(HeldBytes&& other) noexcept : owner_(other.owner_), bytes_(std::exchange(other.bytes_, 0)) {}
  ~HeldBytes() { set(0); }

  void set(std::uint64_t bytes) noexcept;

 private:
  BufferOwner owner_;
  std::uint64_t bytes_ = 0;
};

struct HeldMark {
  BufferOwner owner;
  std::uint64_t now = 0;   // bytes
  std::uint64_t most = 0;  // bytes that were held at one time, since the process began
};
// One for each owner, in the order of the enumeration.
std::vector<HeldMark> held_marks();

}  // namespace kiln
