#include "builder/layer/frame_reader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "builder/layer/deflate_blocks.hpp"
#include "builder/layer/frame_inflation.hpp"
#include "builder/layer/tar_encoder.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kTarBlockBytes = 512;
constexpr std::uint64_t kTarEndBytes = 2 * kTarBlockBytes;
constexpr std::size_t kDetectedBytes = 8;

std::uint64_t in_tar_blocks(std::uint64_t bytes) {
  return (bytes + kTarBlockBytes - 1) / kTarBlockBytes * kTarBlockBytes;
}

void read_exactly(const Fd& file, const std::string& name, std::uint64_t offset, char* buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(file.get(), buffer + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("read", name);
    if (count == 0) throw Error(Category::build, fmt::format("'{}' is shorter than its frames", name));
    done += static_cast<std::size_t>(count);
  }
}

// Whether ustar says all of it in one block. Where that is not sure the encoder is asked.
bool is_surely_one_block(const FileEntry& entry) {
  constexpr std::size_t kPlainName = 90;  // a mark's prefix is to fit, too
  constexpr std::uint32_t kPlainOwner = 0777777;
  constexpr std::int64_t kPlainTime = std::int64_t{1} << 32;
  return entry.path.size() <= kPlainName && entry.link.size() <= kPlainName && entry.xattrs.empty() &&
         entry.uid <= kPlainOwner && entry.gid <= kPlainOwner && entry.mtime >= 0 && entry.mtime < kPlainTime;
}

// Counts the bytes of headers.
class HeaderSizes {
 public:
  HeaderSizes() : encoder_([this](std::string_view bytes) { bytes_ += bytes.size(); }) {}

  std::uint64_t of(const FileEntry& entry) {
    if (is_surely_one_block(entry)) return kTarBlockBytes;
    FileEntry empty = entry;
    empty.size = 0;  // else the encoder would fill it
    const std::uint64_t before = bytes_;
    encoder_.header(empty);
    return bytes_ - before;
  }

 private:
  std::uint64_t bytes_ = 0;
  TarEncoder encoder_;
};

}  // namespace

FrameReader::FrameReader(const ContentStore& store, const oci::Descriptor& blob, const std::vector<Frame>& frames)
    : name_(fmt::format("layer blob {}", blob.digest.str())), file_(open_read(store.path_of(blob.digest))) {
  std::string head(std::min<std::uint64_t>(kDetectedBytes, blob.size), '\0');
  read_exactly(file_, name_, 0, head.data(), head.size());
  kind_ = detect_compression(head);
  Place next;
  for (const Frame& frame : frames) {
    next.frame = frame;
    places_.push_back(next);
    next.blob_offset += frame.compressed_bytes;
    next.tar_offset += frame.unpacked_bytes;
  }
}

const ByteBuffer& FrameReader::inflate(std::size_t number) {
  if (held_ == number) return held_bytes_;
  const Place& place = places_[number];
  ByteBuffer in(place.frame.compressed_bytes + kLastDeflateBlock.size());
  in.shrink(place.frame.compressed_bytes);
  read_exactly(file_, name_, place.blob_offset, in.data(), in.size());
  held_bytes_ = inflate_frame(in, place.frame.unpacked_bytes, kind_, name_);
  held_ = number;
  return held_bytes_;
}

std::string FrameReader::read(std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t end = places_.empty() ? 0 : places_.back().tar_offset + places_.back().frame.unpacked_bytes;
  if (offset > end || bytes > end - offset)
    throw Error(Category::build, fmt::format("'{}' ends before byte {} of its tar", name_, offset + bytes));
  std::string text;
  text.reserve(bytes);
  auto place = std::upper_bound(places_.begin(), places_.end(), offset,
                                [](std::uint64_t at, const Place& other) { return at < other.tar_offset; });
  if (place != places_.begin()) --place;
  while (text.size() < bytes) {
    const std::uint64_t at = offset + text.size() - place->tar_offset;
    if (at < place->frame.unpacked_bytes) {
      const std::string_view frame = inflate(static_cast<std::size_t>(place - places_.begin())).view();
      text += frame.substr(at, bytes - text.size());
    }
    ++place;
  }
  return text;
}

std::optional<std::vector<std::uint64_t>> data_offsets(const FileIndex& index) {
  constexpr std::uint64_t kLargestUstarFile = 8'000'000'000;
  std::vector<std::uint64_t> offsets;
  offsets.reserve(index.entries().size());
  HeaderSizes headers;
  std::uint64_t at = 0;
  for (const FileEntry& entry : index.entries()) {
    const std::uint64_t data = entry.type == EntryType::file ? entry.size : 0;
    if (data > kLargestUstarFile) return std::nullopt;
    at += headers.of(entry);
    offsets.push_back(at);
    at += in_tar_blocks(data);
  }
  if (at + kTarEndBytes != index.unpacked_bytes()) return std::nullopt;
  return offsets;
}

}  // namespace kiln
