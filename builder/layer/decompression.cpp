// Inflating: one stream piece by piece, or known frames in parallel.
//
// gzip goes through ISA-L's streaming inflate (several times as fast as zlib), known frames through libdeflate, which
// wants whole streams: a block of a member gets an end of its own. zstd's own decoder reads on over frame borders by
// itself.

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>

#include "base/error.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/compression.hpp"
#include "builder/layer/deflate_blocks.hpp"
#include "builder/layer/frame_inflation.hpp"
#include "builder/layer/gzip_blocks.hpp"
#include "builder/layer/ordered_jobs.hpp"
#include "builder/layer/xz_stream.hpp"

namespace kiln {

namespace {

constexpr std::size_t kInputBytes = 256 << 10;
constexpr int kMostWindowLog = 27;  // as zstd itself has it
constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{256} << 20;

[[noreturn]] void refuse(std::string_view name, std::string_view what) {
  throw Error(Category::build, fmt::format("'{}' {}", name, what));
}

}  // namespace

TooMuchMemory::TooMuchMemory(std::string_view name, std::string_view what)
    : Error(Category::build, fmt::format("'{}' {}", name, what)) {}

namespace {

// Replays the bytes that were read to see what the stream is.
class PeekedSource : public ByteSource {
 public:
  PeekedSource(std::string head, std::unique_ptr<ByteSource> rest) : head_(std::move(head)), rest_(std::move(rest)) {}
  std::size_t read(void* buffer, std::size_t size) override {
    if (done_ == head_.size()) return rest_->read(buffer, size);
    const std::size_t count = std::min(size, head_.size() - done_);
    std::memcpy(buffer, head_.data() + done_, count);
    done_ += count;
    return count;
  }

 private:
  std::string head_;
  std::size_t done_ = 0;
  std::unique_ptr<ByteSource> rest_;
};

std::string read_head(ByteSource& source) {
  std::string head(8, '\0');
  head.resize(read_fully(source, head.data(), head.size()));
  return head;
}

// Counts what comes out, and stops a bomb.
class Budget {
 public:
  Budget(std::string name, DecompressionLimits limits) : name_(std::move(name)), limit_(limits.max_bytes) {}
  void spend(std::uint64_t bytes) {
    if (bytes > limit_ - spent_) refuse(name_, fmt::format("unpacks to more than {} bytes", limit_));
    spent_ += bytes;
  }
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
  std::uint64_t limit_;
  std::uint64_t spent_ = 0;
};

class PlainStream : public ByteSource {
 public:
  PlainStream(std::unique_ptr<ByteSource> source, Budget budget)
      : source_(std::move(source)), budget_(std::move(budget)) {}
  std::size_t read(void* buffer, std::size_t size) override {
    const std::size_t count = source_->read(buffer, size);
    budget_.spend(count);
    return count;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  Budget budget_;
};

// Archives are padded to whole blocks by some who keep or carry them.
void refuse_unless_zeros(std::string_view behind, const std::string& name) {
  if (behind.find_first_not_of('\0') != std::string_view::npos) refuse(name, "is damaged: something stands behind it");
}

class GzipStream : public ByteSource {
 public:
  GzipStream(std::unique_ptr<ByteSource> source, Budget budget)
      : source_(std::move(source)), budget_(std::move(budget)), input_(kInputBytes, '\0') {
    start_member();
  }

  std::size_t read(void* buffer, std::size_t size) override {
    if (damaged_) refuse(budget_.name(), "is damaged: no valid gzip data");
    if (ended_ || size == 0) return 0;
    const auto room = static_cast<std::uint32_t>(std::min<std::size_t>(size, 1 << 30));
    state_->next_out = static_cast<std::uint8_t*>(buffer);
    state_->avail_out = room;
    while (state_->avail_out == room) {
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        if (!fill() || (*state_->next_in == 0 && skip_padding())) {
          ended_ = true;
          break;
        }
        start_member();
      }
      const bool more = fill();
      const std::uint32_t before = state_->avail_in;
      const int result = isal_inflate(state_.get());
      damaged_ = result < 0 || result == ISAL_NEED_DICT;
      // What was inflated before the damage is handed out first: all of a tar may be in it.
      if (damaged_ && state_->avail_out < room) break;
      if (damaged_) refuse(budget_.name(), "is damaged: no valid gzip data");
      const bool stuck = state_->avail_out == room && state_->avail_in == before;
      if (!more && stuck && state_->block_state != ISAL_BLOCK_FINISH) refuse(budget_.name(), "is cut in its gzip data");
    }
    const std::size_t count = room - state_->avail_out;
    budget_.spend(count);
    return count;
  }

 private:
  void start_member() {
    const auto* next = state_->next_in;
    const std::uint32_t left = state_->avail_in;
    auto* out = state_->next_out;
    const std::uint32_t room = state_->avail_out;
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
    state_->next_in = const_cast<std::uint8_t*>(next);
    state_->avail_in = left;
    state_->next_out = out;
    state_->avail_out = room;
  }
  // Reads on to the end of the input, where only zeros may be.
  bool skip_padding() {
    while (fill()) {
      refuse_unless_zeros({reinterpret_cast<const char*>(state_->next_in), state_->avail_in}, budget_.name());
      state_->avail_in = 0;
    }
    return true;
  }
  // Makes sure that there is input; false at the stream's end.
  bool fill() {
    if (state_->avail_in > 0) return true;
    const std::size_t count = source_->read(input_.data(), input_.size());
    state_->next_in = reinterpret_cast<std::uint8_t*>(input_.data());
    state_->avail_in = static_cast<std::uint32_t>(count);
    return count > 0;
  }

  std::unique_ptr<ByteSource> source_;
  Budget budget_;
  std::string input_;
  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
  bool ended_ = false;
  bool damaged_ = false;
};

class ZstdStream : public ByteSource {
 public:
  ZstdStream(std::unique_ptr<ByteSource> source, Budget budget)
      : source_(std::move(source)), budget_(std::move(budget)), input_(kInputBytes, '\0') {
    if (!context_) throw Error(Category::machine, "zstd: no memory for the decompressor");
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMostWindowLog);
  }

  std::size_t read(void* buffer, std::size_t size) override {
    ZSTD_outBuffer out{buffer, size, 0};
    while (out.pos == 0 && size > 0) {
      if (in_.pos == in_.size && !ended_) {
        in_ = {input_.data(), source_->read(input_.data(), input_.size()), 0};
        ended_ = in_.size == 0;
      }
      if (ended_ && hint_ == 0) return 0;
      in_padding_ = in_padding_ || (hint_ == 0 && static_cast<const char*>(in_.src)[in_.pos] == '\0');
      if (in_padding_) {
        refuse_unless_zeros({static_cast<const char*>(in_.src) + in_.pos, in_.size - in_.pos}, budget_.name());
        in_.pos = in_.size;
        continue;
      }
      const std::size_t before = in_.pos;
      hint_ = ZSTD_decompressStream(context_.get(), &out, &in_);
      if (ZSTD_isError(hint_)) refuse_zstd(hint_);
      if (ended_ && out.pos == 0 && in_.pos == before && hint_ != 0) refuse(budget_.name(), "is cut in its zstd data");
    }
    budget_.spend(out.pos);
    return out.pos;
  }

 private:
  [[noreturn]] void refuse_zstd(std::size_t result) const {
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
      throw TooMuchMemory(budget_.name(),
                          fmt::format("needs a zstd window of more than {} MiB; compress it with '--long={}' at most",
                                      (1 << kMostWindowLog) >> 20, kMostWindowLog));
    }
    refuse(budget_.name(), fmt::format("is damaged: {}", ZSTD_getErrorName(result)));
  }

  std::unique_ptr<ByteSource> source_;
  Budget budget_;
  std::string input_;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  ZSTD_inBuffer in_{nullptr, 0, 0};
  std::size_t hint_ = 1;
  bool ended_ = false;
  bool in_padding_ = false;
};

std::unique_ptr<ByteSource> decompress_peeked(const std::string& head, std::unique_ptr<ByteSource> source,
                                              Budget budget) {
  switch (detect_compression(head)) {
    case CompressionKind::gzip:
      return std::make_unique<GzipStream>(std::move(source), std::move(budget));
    case CompressionKind::zstd:
      return std::make_unique<ZstdStream>(std::move(source), std::move(budget));
    case CompressionKind::none:
      break;
  }
  return std::make_unique<PlainStream>(std::move(source), std::move(budget));
}

using Inflater = std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>;

// A frame's plain bytes.
struct Inflated {
  ByteBuffer bytes;
  std::uint32_t crc = 0;  // of a block of a gzip member
};

ByteBuffer inflate_zstd_frame(std::string_view in, std::uint64_t size, const std::string& name) {
  const ByteBuffer out(size);
  const std::size_t made = ZSTD_decompress(out.data(), out.size(), in.data(), in.size());
  if (ZSTD_isError(made) || made != size) refuse(name, "is damaged: a zstd frame is not what the file index says");
  return out;
}

// A whole member (kiln's older layers) or a block of one. No member ends as a block does: its plain bytes would be more
// than a frame may hold. No deflate block begins as a member does: its type would be the reserved one.
Inflated inflate_gzip_frame(const ByteBuffer& frame, std::uint64_t size, const std::string& name) {
  const Inflater inflater(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!inflater) throw Error(Category::machine, "gzip: no memory for the decompressor");
  const Inflated out{ByteBuffer(size)};
  std::string_view in = frame.view();
  const bool has_head = detect_compression(in) == CompressionKind::gzip;
  const bool is_open_ended = in.ends_with(kFlushMark);
  std::size_t used = 0;
  std::size_t made = 0;
  libdeflate_result result = LIBDEFLATE_BAD_DATA;
  if (has_head && !is_open_ended) {
    result = libdeflate_gzip_decompress_ex(inflater.get(), in.data(), in.size(), out.bytes.data(), size, &used, &made);
  } else {
    if (has_head) in.remove_prefix(std::min(in.size(), kGzipHead.size()));
    if (is_open_ended) {
      // The buffer has room for what ends a stream.
      kLastDeflateBlock.copy(frame.data() + frame.size(), kLastDeflateBlock.size());
      in = {in.data(), in.size() + kLastDeflateBlock.size()};
    } else if (in.size() >= kGzipTailBytes) {
      in.remove_suffix(kGzipTailBytes - kLastDeflateBlock.size());
    }
    result =
        libdeflate_deflate_decompress_ex(inflater.get(), in.data(), in.size(), out.bytes.data(), size, &used, &made);
  }
  if (result != LIBDEFLATE_SUCCESS || used != in.size() || made != size) {
    refuse(name, "is damaged: a part of its gzip data is not what the file index says");
  }
  return {out.bytes, libdeflate_crc32(0, out.bytes.data(), size)};
}

class FrameStream : public ByteSource {
 public:
  FrameStream(std::unique_ptr<ByteSource> source, std::vector<Frame> frames, ThreadPool& pool, Budget budget)
      : source_(std::move(source)),
        frames_(std::move(frames)),
        budget_(std::move(budget)),
        jobs_(pool, BufferOwner::decompression) {}

  std::size_t read(void* buffer, std::size_t size) override {
    while (taken_ == current_.size()) {
      while (next_ < frames_.size() && !jobs_.full()) start(frames_[next_++]);
      if (jobs_.empty()) {
        finish();
        return 0;
      }
      Inflated inflated = jobs_.pop();
      checksum_.add(inflated.crc, inflated.bytes.size());
      current_ = std::move(inflated.bytes);
      taken_ = 0;
    }
    const std::size_t count = std::min(size, current_.size() - taken_);
    std::memcpy(buffer, current_.data() + taken_, count);
    taken_ += count;
    return count;
  }

 private:
  void start(const Frame& frame) {
    if (frame.compressed_bytes > kMaxFrameBytes || frame.unpacked_bytes > kMaxFrameBytes) {
      refuse(budget_.name(), "has a frame of more than 256 MiB");
    }
    budget_.spend(frame.unpacked_bytes);
    ByteBuffer in(frame.compressed_bytes + kLastDeflateBlock.size());
    in.shrink(frame.compressed_bytes);
    if (read_fully(*source_, in.data(), in.size()) != in.size()) refuse(budget_.name(), "is shorter than its frames");
    // The first frame says what all are: a block of a gzip member may begin like anything but a member.
    if (kind_ == CompressionKind::none) kind_ = detect_compression(in.view());
    if (kind_ == CompressionKind::none) refuse(budget_.name(), "is damaged: a frame is neither gzip nor zstd");
    is_one_member_ = is_one_member_ || (kind_ == CompressionKind::gzip && in.view().ends_with(kFlushMark));
    if (is_one_member_ && next_ == frames_.size()) {
      tail_ = in.view().substr(in.size() - std::min(in.size(), kGzipTailBytes));
    }
    jobs_.push(frame.compressed_bytes + frame.unpacked_bytes,
               [in, size = frame.unpacked_bytes, name = budget_.name(), kind = kind_]() -> Inflated {
                 if (kind == CompressionKind::gzip) return inflate_gzip_frame(in, size, name);
                 return {inflate_zstd_frame(in.view(), size, name)};
               });
  }
  // The last read also lets the source check itself (see BlobSource).
  void finish() {
    char byte;
    if (source_->read(&byte, 1) != 0) refuse(budget_.name(), "is longer than its frames");
    if (is_one_member_ && tail_ != checksum_.tail()) refuse(budget_.name(), "is damaged: its gzip checksum is wrong");
  }

  std::unique_ptr<ByteSource> source_;
  std::vector<Frame> frames_;
  Budget budget_;
  CompressionKind kind_ = CompressionKind::none;
  bool is_one_member_ = false;  // of several blocks, which are checked together
  GzipChecksum checksum_;
  std::string tail_;
  std::size_t next_ = 0;
  ByteBuffer current_;
  std::size_t taken_ = 0;
  OrderedJobs<Inflated> jobs_;
};

// bzip2 by libarchive's filter.
class ArchiveFilterStream : public ByteSource {
 public:
  ArchiveFilterStream(std::unique_ptr<ByteSource> source, Budget budget)
      : source_(std::move(source)), budget_(std::move(budget)), input_(kInputBytes, '\0') {
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_format_raw(archive_.get());
    check(archive_read_open(archive_.get(), this, nullptr, &ArchiveFilterStream::read_input, nullptr));
    archive_entry* entry = nullptr;
    check(archive_read_next_header(archive_.get(), &entry));
  }

  std::size_t read(void* buffer, std::size_t size) override {
    const la_ssize_t count = archive_read_data(archive_.get(), buffer, size);
    if (count < 0) check(ARCHIVE_FATAL);
    budget_.spend(static_cast<std::uint64_t>(count));
    return static_cast<std::size_t>(count);
  }

 private:
  // No exception may pass through libarchive.
  static la_ssize_t read_input(archive*, void* self_pointer, const void** bytes) {
    auto* self = static_cast<ArchiveFilterStream*>(self_pointer);
    try {
      *bytes = self->input_.data();
      return static_cast<la_ssize_t>(self->source_->read(self->input_.data(), self->input_.size()));
    } catch (...) {
      self->failure_ = std::current_exception();
      return -1;
    }
  }
  void check(int result) {
    if (failure_) std::rethrow_exception(failure_);
    if (result == ARCHIVE_OK) return;
    const char* text = archive_error_string(archive_.get());
    refuse(budget_.name(), fmt::format("cannot be decompressed: {}", text == nullptr ? "it is damaged" : text));
  }

  std::unique_ptr<ByteSource> source_;
  Budget budget_;
  std::string input_;
  std::exception_ptr failure_;
  std::unique_ptr<archive, decltype(&archive_read_free)> archive_{archive_read_new(), &archive_read_free};
};

}  // namespace

ByteBuffer inflate_frame(const ByteBuffer& frame, std::uint64_t unpacked_bytes, CompressionKind kind,
                         const std::string& name) {
  if (frame.size() > kMaxFrameBytes || unpacked_bytes > kMaxFrameBytes)
    refuse(name, "has a frame of more than 256 MiB");
  if (kind == CompressionKind::gzip) return inflate_gzip_frame(frame, unpacked_bytes, name).bytes;
  if (kind == CompressionKind::zstd) return inflate_zstd_frame(frame.view(), unpacked_bytes, name);
  refuse(name, "is damaged: a frame is neither gzip nor zstd");
}

std::unique_ptr<ByteSource> decompress_stream(std::unique_ptr<ByteSource> source, std::string name,
                                              DecompressionLimits limits) {
  std::string head = read_head(*source);
  auto whole = std::make_unique<PeekedSource>(head, std::move(source));
  return decompress_peeked(head, std::move(whole), Budget(std::move(name), limits));
}

std::unique_ptr<ByteSource> decompress_frames(std::unique_ptr<ByteSource> source, std::vector<Frame> frames,
                                              ThreadPool& pool, std::string name, DecompressionLimits limits) {
  if (frames.empty()) return decompress_stream(std::move(source), std::move(name), limits);
  return std::make_unique<FrameStream>(std::move(source), std::move(frames), pool, Budget(std::move(name), limits));
}

std::unique_ptr<ByteSource> decompress_any(std::unique_ptr<ByteSource> source, std::string name,
                                           DecompressionLimits limits) {
  std::string head = read_head(*source);
  auto whole = std::make_unique<PeekedSource>(head, std::move(source));
  Budget budget(std::move(name), limits);
  if (head.starts_with("BZh")) return std::make_unique<ArchiveFilterStream>(std::move(whole), std::move(budget));
  if (is_xz(head)) {
    const std::string shown = budget.name();
    return std::make_unique<PlainStream>(inflate_xz(std::move(whole), shown), std::move(budget));
  }
  return decompress_peeked(head, std::move(whole), std::move(budget));
}

}  // namespace kiln
