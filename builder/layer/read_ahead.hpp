#pragma once

#include <memory>
#include <thread>

#include "builder/layer/byte_source.hpp"
#include "builder/layer/tar_pipe.hpp"

namespace kiln {

// Pulls another source on a thread of its own, a few pieces ahead, so that inflating and what is done with the result
// share two cores.
class ReadAheadSource : public ByteSource {
 public:
  explicit ReadAheadSource(std::unique_ptr<ByteSource> source);
  ~ReadAheadSource() override;
  ReadAheadSource(const ReadAheadSource&) = delete;
  ReadAheadSource& operator=(const ReadAheadSource&) = delete;

  std::size_t read(void* buffer, std::size_t size) override { return pipe_.read(buffer, size); }

 private:
  void pull();

  std::unique_ptr<ByteSource> source_;
  TarPipe pipe_{BufferOwner::read_ahead};
  std::thread thread_;
};

}  // namespace kiln
