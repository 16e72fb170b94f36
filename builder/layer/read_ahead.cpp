#include "builder/layer/read_ahead.hpp"

#include <utility>

namespace kiln {

ReadAheadSource::ReadAheadSource(std::unique_ptr<ByteSource> source)
    : source_(std::move(source)), thread_([this] { pull(); }) {}

ReadAheadSource::~ReadAheadSource() {
  pipe_.close_reader();
  thread_.join();
}

void ReadAheadSource::pull() {
  try {
    for (bool more = true; more;) {
      ByteBuffer piece(TarPipe::kPieceBytes);
      piece.shrink(read_fully(*source_, piece.data(), piece.size()));
      more = piece.size() == TarPipe::kPieceBytes;
      if (!pipe_.write(std::move(piece))) return;
    }
    pipe_.end();
  } catch (...) {
    pipe_.fail(std::current_exception());
  }
}

}  // namespace kiln
