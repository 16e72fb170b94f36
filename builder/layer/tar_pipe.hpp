#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string_view>

#include "base/held_bytes.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/byte_source.hpp"

namespace kiln {

// A tar on its way from one thread that writes it to another that reads it, a few megabytes apart at most.
class TarPipe : public ByteSource {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{512} << 10;

  // The owner that its bytes are counted for.
  explicit TarPipe(BufferOwner owner);

  // Wait while the reader is too far behind. Once the reader is gone nothing is kept.
  void write(std::string_view bytes);
  // Without a copy; false once the reader is gone. A writer uses one of the two.
  bool write(ByteBuffer piece);
  // All was written.
  void end();
  // No more comes, and what came is not all: the reader gets this after it.
  void fail(std::exception_ptr error);

  std::size_t read(void* buffer, std::size_t size) override;
  void close_reader();

 private:
  void send_filled();

  ByteBuffer filling_;  // of the writer
  std::size_t filled_ = 0;
  ByteBuffer current_;  // of the reader
  std::size_t taken_ = 0;
  std::mutex mutex_;  // for what is below
  std::condition_variable changed_;
  std::deque<ByteBuffer> ready_;
  bool ended_ = false;
  std::exception_ptr failure_;
  bool has_reader_ = true;
  HeldBytes held_;
};

}  // namespace kiln
