#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "base/held_bytes.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/byte_source.hpp"

namespace kiln {

// Pulls another source on a thread of its own, a few pieces ahead, so that inflating and what is done with the result share
// two cores.
class ReadAheadSource : public ByteSource {
 public:
  explicit ReadAheadSource(std::unique_ptr<ByteSource> source);
  ~ReadAheadSource() override;
  ReadAheadSource(const ReadAheadSource&) = delete;
  ReadAheadSource& operator=(const ReadAheadSource&) = delete;

  std::size_t read(void* buffer, std::size_t size) override;

 private:
  void pull();

  std::unique_ptr<ByteSource> source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ByteBuffer> ready_;
  std::exception_ptr failure_;
  bool ended_ = false;
  bool stopping_ = false;
  ByteBuffer current_;
  std::size_t taken_ = 0;
  HeldBytes held_;
  std::thread thread_;
};

}  // namespace kiln
