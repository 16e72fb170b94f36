#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/verifying_reader.hpp"

namespace kiln {

// A stream of bytes that is pulled. For one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // At most `size` bytes; 0 only at the end. Errors are Errors.
  virtual std::size_t read(void* buffer, std::size_t size) = 0;
};

// Told the bytes of a tar, in order, as they are written or read.
using TarListener = std::function<void(std::string_view)>;

// Reads until the buffer is full or the source has ended.
std::size_t read_fully(ByteSource& source, void* buffer, std::size_t size);
// Everything, at most `max_bytes`; Error{build} naming `name` where there is more.
std::string read_to_end(ByteSource& source, std::uint64_t max_bytes, std::string_view name);

// A file from its current offset to its end. Borrows the descriptor.
class FdSource : public ByteSource {
 public:
  FdSource(const Fd& fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  std::size_t read(void* buffer, std::size_t size) override;

 private:
  const Fd& fd_;
  std::string name_;
};

// A file that the source owns.
class OwnedFdSource : public ByteSource {
 public:
  OwnedFdSource(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  std::size_t read(void* buffer, std::size_t size) override;

 private:
  Fd fd_;
  std::string name_;
};

// Bytes in memory, borrowed.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : rest_(bytes) {}
  std::size_t read(void* buffer, std::size_t size) override;

 private:
  std::string_view rest_;
};

// A blob of the store, verified: the read that would return 0 throws Error{machine} instead where the bytes do not
// have the blob's digest. So a reader that gets to the end has read what was asked for.
class BlobSource : public ByteSource {
 public:
  BlobSource(const ContentStore& store, const oci::Digest& blob) : reader_(store, blob) {}
  std::size_t read(void* buffer, std::size_t size) override;

 private:
  VerifyingReader reader_;
  bool finished_ = false;
};

}  // namespace kiln
