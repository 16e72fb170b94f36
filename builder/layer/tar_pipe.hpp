#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>

#include "base/held_bytes.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/byte_source.hpp"

namespace kiln {

// A tar on its way from one thread that writes it to another that reads it, a few megabytes apart at most.
class TarPipe : public ByteSource {
 public:
  TarPipe();

  // Waits while the reader is too far behind. Once the reader is gone nothing is kept.
  void write(std::string_view bytes);
  // All was written.
  void end();
  // No more comes, and what came is not all: the reader gets an Error{cancelled}.
  void abandon();

  std::size_t read(void* buffer, std::size_t size) override;
  void close_reader();

 private:
  enum class State { open, ended, abandoned };
  void send();
  void stop(State state);

  ByteBuffer filling_;  // of the writer
  std::size_t filled_ = 0;
  ByteBuffer current_;  // of the reader
  std::size_t taken_ = 0;
  std::mutex mutex_;  // for what is below
  std::condition_variable changed_;
  std::deque<ByteBuffer> ready_;
  State state_ = State::open;
  bool has_reader_ = true;
  HeldBytes held_;
};

}  // namespace kiln
