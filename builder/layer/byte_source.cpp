#include "builder/layer/byte_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/file.hpp"

namespace kiln {

std::size_t read_fully(ByteSource& source, void* buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const std::size_t count = source.read(static_cast<char*>(buffer) + done, size - done);
    if (count == 0) break;
    done += count;
  }
  return done;
}

std::string read_to_end(ByteSource& source, std::uint64_t max_bytes, std::string_view name) {
  std::string bytes;
  for (;;) {
    const std::size_t before = bytes.size();
    const std::size_t step = std::clamp<std::size_t>(before, 64 << 10, 16 << 20);
    bytes.resize(before + step);
    const std::size_t count = source.read(bytes.data() + before, step);
    bytes.resize(before + count);
    if (bytes.size() > max_bytes) {
      throw Error(Category::build, fmt::format("'{}' is larger than {} bytes", name, max_bytes));
    }
    if (count == 0) return bytes;
  }
}

std::size_t FdSource::read(void* buffer, std::size_t size) { return read_some(fd_, buffer, size, name_); }

std::size_t OwnedFdSource::read(void* buffer, std::size_t size) { return read_some(fd_, buffer, size, name_); }

std::size_t MemorySource::read(void* buffer, std::size_t size) {
  const std::size_t count = std::min(size, rest_.size());
  if (count > 0) std::memcpy(buffer, rest_.data(), count);
  rest_.remove_prefix(count);
  return count;
}

std::size_t BlobSource::read(void* buffer, std::size_t size) {
  if (finished_ || size == 0) return 0;
  const std::size_t count = reader_.read(buffer, size);
  if (count == 0) {
    finished_ = true;
    reader_.finish();
  }
  return count;
}

}  // namespace kiln
