#include "builder/layer/xz_stream.hpp"

#include <fmt/format.h>
#include <lzma.h>

#include <cstdint>

#include "base/error.hpp"
#include "builder/layer/compression.hpp"

namespace kiln {

namespace {

constexpr std::string_view kXzMagic(
    "\xfd"
    "7zXZ\0",
    6);
constexpr std::size_t kXzInputBytes = 256 << 10;
constexpr std::uint64_t kMaxXzMemory = std::uint64_t{1} << 30;  // what xz -9 asks for is a fifteenth of it

class XzStream : public ByteSource {
 public:
  XzStream(std::unique_ptr<ByteSource> source, std::string name)
      : source_(std::move(source)), name_(std::move(name)), input_(kXzInputBytes, '\0') {
    begin();
  }
  ~XzStream() override { ::lzma_end(&state_); }
  XzStream(const XzStream&) = delete;
  XzStream& operator=(const XzStream&) = delete;

  std::size_t read(void* buffer, std::size_t size) override {
    if (!failure_.empty()) refuse(failure_);
    if (ended_ || size == 0) return 0;
    state_.next_out = static_cast<std::uint8_t*>(buffer);
    state_.avail_out = size;
    while (state_.avail_out == size && !ended_) step();
    const std::size_t count = size - state_.avail_out;
    // What was inflated before the damage is handed out first: all of a tar may be in it.
    if (count == 0 && !failure_.empty()) refuse(failure_);
    return count;
  }

 private:
  void step() {
    const bool more = fill();
    const lzma_ret result = ::lzma_code(&state_, LZMA_RUN);
    if (result == LZMA_STREAM_END) {
      begin_next();
    } else if (result == LZMA_MEMLIMIT_ERROR) {
      throw TooMuchMemory(name_, "needs more than 1 GiB of memory; compress it with 'xz -9' at most");
    } else if (result != LZMA_OK && result != LZMA_BUF_ERROR) {
      fail("is damaged: no valid xz data");
    } else if (!more && state_.avail_in == 0 && result == LZMA_BUF_ERROR) {
      fail("is cut in its xz data");
    }
  }

  // Over the zeros behind a stream to the next one, or to the end.
  void begin_next() {
    while (fill()) {
      while (state_.avail_in > 0 && *state_.next_in == 0) {
        ++state_.next_in;
        --state_.avail_in;
      }
      if (state_.avail_in == 0) continue;
      // A stream of another kind is said by its first byte; liblzma looks at the others.
      if (*state_.next_in != static_cast<std::uint8_t>(kXzMagic[0]))
        return fail("is damaged: something stands behind it");
      return begin();
    }
    ended_ = true;
  }

  void begin() {
    const auto* next = state_.next_in;
    const std::size_t left = state_.avail_in;
    auto* out = state_.next_out;
    const std::size_t room = state_.avail_out;
    if (::lzma_stream_decoder(&state_, kMaxXzMemory, 0) != LZMA_OK) {
      throw Error(Category::machine, "xz: no memory for the decompressor");
    }
    state_.next_in = next;
    state_.avail_in = left;
    state_.next_out = out;
    state_.avail_out = room;
  }

  // Makes sure that there is input; false at the end of the source.
  bool fill() {
    if (state_.avail_in > 0) return true;
    state_.next_in = reinterpret_cast<const std::uint8_t*>(input_.data());
    state_.avail_in = source_->read(input_.data(), input_.size());
    return state_.avail_in > 0;
  }

  void fail(std::string_view what) {
    failure_ = what;
    ended_ = true;
  }
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(Category::build, fmt::format("'{}' {}", name_, what));
  }

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::string input_;
  lzma_stream state_ = LZMA_STREAM_INIT;
  std::string failure_;
  bool ended_ = false;
};

}  // namespace

bool is_xz(std::string_view head) { return head.starts_with(kXzMagic); }

std::unique_ptr<ByteSource> inflate_xz(std::unique_ptr<ByteSource> source, std::string name) {
  return std::make_unique<XzStream>(std::move(source), std::move(name));
}

}  // namespace kiln
