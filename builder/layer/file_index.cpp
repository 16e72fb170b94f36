#include "builder/layer/file_index.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>

#include "base/append_number.hpp"
#include "base/error.hpp"
#include "base/held_bytes.hpp"
#include "base/text.hpp"
#include "builder/layer/index_text.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

namespace {

constexpr std::string_view kMagic = "kiln file index 2\n";
constexpr std::string_view kFirstMagic = "kiln file index 1\n";
constexpr std::string_view kLetters = "fdlhcbpwo";
constexpr std::string_view kShortestEntry = "o 0: 0 0 0 0 0 0: - 0 0 0\n";  // an opaque root
constexpr int kIndexZstdLevel = 3;

void put_string(std::string& text, std::string_view value) {
  append_number(text, value.size());
  text += ':';
  text += value;
}

void put_number(std::string& text, std::uint64_t value) {
  text += ' ';
  append_number(text, value);
}

void put_entry(std::string& text, const FileEntry& entry) {
  text += to_letter(entry.type);
  text += ' ';
  put_string(text, entry.path);
  text += ' ';
  append_number(text, entry.mode, 8);
  put_number(text, entry.uid);
  put_number(text, entry.gid);
  put_number(text, entry.size);
  text += ' ';
  append_signed(text, entry.mtime);
  text += ' ';
  put_string(text, entry.link);
  text += ' ';
  text += entry.content.empty() ? std::string_view("-") : entry.content.hex();
  put_number(text, entry.device_major);
  put_number(text, entry.device_minor);
  put_number(text, entry.xattrs.size());
  for (const auto& [name, value] : entry.xattrs) {
    text += ' ';
    put_string(text, name);
    text += ' ';
    put_string(text, value);
  }
  text += '\n';
}

// Takes an index's text apart, strictly: what it accepts, serialise() would have written.
class IndexText {
 public:
  IndexText(std::string_view text, std::string_view where) : rest_(text), size_(text.size()), where_(where) {}

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(Category::network,
                fmt::format("{}: no file index of kiln: {} at byte {}", where_, what, size_ - rest_.size()));
  }
  bool at_end() const noexcept { return rest_.empty(); }
  void expect(std::string_view literal) {
    if (!rest_.starts_with(literal)) refuse(fmt::format("expected '{}'", printable(literal)));
    rest_.remove_prefix(literal.size());
  }
  char letter() {
    if (rest_.empty()) refuse("cut");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  std::uint64_t number(std::uint64_t max, unsigned base = 10) {
    std::uint64_t value = 0;
    std::size_t digits = 0;
    while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] < static_cast<char>('0' + base)) {
      const auto digit = static_cast<unsigned>(rest_[digits] - '0');
      if (value > (max - digit) / base) refuse("a number is too large");
      value = value * base + digit;
      ++digits;
    }
    if (digits == 0) refuse("expected a number");
    if (digits > 1 && rest_.front() == '0') refuse("a number begins with 0");
    rest_.remove_prefix(digits);
    return value;
  }
  std::int64_t signed_number() {
    const bool negative = rest_.starts_with('-');
    if (negative) rest_.remove_prefix(1);
    const auto value = static_cast<std::int64_t>(number(INT64_MAX));
    if (negative && value == 0) refuse("a number is -0");
    return negative ? -value : value;
  }
  std::string_view bytes(std::uint64_t count) {
    if (count > rest_.size()) refuse("cut");
    const std::string_view result = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return result;
  }
  std::string_view string() {
    const std::uint64_t length = number(kMaxIndexTextBytes);
    expect(":");
    return bytes(length);
  }
  bool skip(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  oci::Digest digest() {
    expect("sha256:");
    return sha256_hex();
  }
  oci::Digest sha256_hex() {
    const std::string_view hex = bytes(64);
    try {
      return oci::Digest::from_sha256_hex(hex);
    } catch (const Error&) {
      refuse("expected a digest");
    }
  }
  // A count of things of at least `min_bytes` each, so that a wrong one cannot make us reserve memory.
  std::size_t count(std::size_t min_bytes) {
    const std::uint64_t value = number(kMaxIndexTextBytes);
    if (value > rest_.size() / min_bytes) refuse("a count is larger than what follows");
    return value;
  }

 private:
  std::string_view rest_;
  std::size_t size_;
  std::string where_;
};

FileEntry take_entry(IndexText& text) {
  FileEntry entry;
  const auto type = kLetters.find(text.letter());
  if (type == std::string_view::npos) text.refuse("unknown type of entry");
  entry.type = static_cast<EntryType>(type);
  text.expect(" ");
  entry.path = text.string();
  text.expect(" ");
  entry.mode = static_cast<std::uint16_t>(text.number(07777, 8));
  text.expect(" ");
  entry.uid = static_cast<std::uint32_t>(text.number(UINT32_MAX));
  text.expect(" ");
  entry.gid = static_cast<std::uint32_t>(text.number(UINT32_MAX));
  text.expect(" ");
  entry.size = text.number(INT64_MAX);
  text.expect(" ");
  entry.mtime = text.signed_number();
  text.expect(" ");
  entry.link = text.string();
  text.expect(" ");
  if (!text.skip("-")) entry.content = text.sha256_hex();
  text.expect(" ");
  entry.device_major = static_cast<std::uint32_t>(text.number(UINT32_MAX));
  text.expect(" ");
  entry.device_minor = static_cast<std::uint32_t>(text.number(UINT32_MAX));
  text.expect(" ");
  std::string previous;
  for (std::size_t left = text.count(6); left > 0; --left) {
    text.expect(" ");
    std::string name(text.string());
    text.expect(" ");
    if (!entry.xattrs.empty() && name <= previous) text.refuse("extended attributes are out of order");
    previous = name;
    entry.xattrs.emplace(std::move(name), text.string());
  }
  text.expect("\n");
  return entry;
}

FileIndex::BlobFrames take_blob(IndexText& text) {
  FileIndex::BlobFrames blob;
  blob.blob = text.digest();
  text.expect(" ");
  const std::size_t frames = text.count(4);
  text.expect("\n");
  blob.frames.reserve(frames);
  for (std::size_t i = 0; i < frames; ++i) {
    Frame frame;
    frame.compressed_bytes = text.number(INT64_MAX);
    text.expect(" ");
    frame.unpacked_bytes = text.number(INT64_MAX);
    text.expect("\n");
    blob.frames.push_back(frame);
  }
  return blob;
}

void check_frames(const FileIndex::Parts& parts) {
  for (std::size_t i = 0; i < parts.blobs.size(); ++i) {
    const auto& blob = parts.blobs[i];
    if (i > 0 && parts.blobs[i - 1].blob >= blob.blob) {
      throw Error(Category::build, "file index: its blobs are out of order");
    }
    if (blob.frames.empty()) continue;
    std::uint64_t total = 0;
    for (const Frame& frame : blob.frames) {
      if (frame.unpacked_bytes > parts.unpacked_bytes - total || frame.compressed_bytes == 0) {
        throw Error(Category::build, fmt::format("file index: wrong frames of '{}'", blob.blob.str()));
      }
      total += frame.unpacked_bytes;
    }
    if (total != parts.unpacked_bytes) {
      throw Error(Category::build, fmt::format("file index: frames of '{}' hold {} bytes, expected {}", blob.blob.str(),
                                               total, parts.unpacked_bytes));
    }
  }
}

void check_entries(const std::vector<FileEntry>& entries) {
  const FileEntry* previous = nullptr;
  for (const FileEntry& entry : entries) {
    check_entry(entry, "file index", Category::build);
    if (entry.type == EntryType::file && entry.content.empty()) {
      throw Error(Category::build, fmt::format("file index: file '{}' has no digest", printable(entry.path)));
    }
    if (previous != nullptr) {
      if (!entry_before(*previous, entry)) {
        throw Error(Category::build, fmt::format("file index: '{}' is there twice", printable(entry.path)));
      }
      const bool may_hold = previous->is_directory() || previous->type == EntryType::opaque;
      if (!may_hold && is_within(entry.path, previous->path)) {
        throw Error(Category::build,
                    fmt::format("file index: '{}' lies below what is no folder", printable(entry.path)));
      }
    }
    previous = &entry;
  }
}

}  // namespace

bool is_kept_file(std::string_view path) {
  return std::find(std::begin(kKeptFiles), std::end(kKeptFiles), path) != std::end(kKeptFiles);
}

FileIndex::FileIndex(Parts parts) : parts_(std::move(parts)) {
  if (!std::is_sorted(parts_.entries.begin(), parts_.entries.end(), entry_before)) {
    std::sort(parts_.entries.begin(), parts_.entries.end(), entry_before);
  }
  std::sort(parts_.blobs.begin(), parts_.blobs.end(),
            [](const BlobFrames& a, const BlobFrames& b) { return a.blob < b.blob; });
  if (parts_.diff_id.empty()) throw Error(Category::build, "file index: no diff ID");
  check_frames(parts_);
  check_entries(parts_.entries);
  for (const auto& [path, text] : parts_.kept) {
    const FileEntry* entry = find(path);
    if (entry == nullptr || entry->type != EntryType::file || entry->size != text.size()) {
      throw Error(Category::build,
                  fmt::format("file index: kept text of '{}', which is no such file", printable(path)));
    }
  }
}

std::string FileIndex::serialise() const {
  std::string text(kMagic);
  text.reserve(512 + parts_.entries.size() * 192);
  text += fmt::format("diff {} {}\n", parts_.diff_id.str(), parts_.unpacked_bytes);
  text += fmt::format("blobs {}\n", parts_.blobs.size());
  for (const BlobFrames& blob : parts_.blobs) {
    text += fmt::format("{} {}\n", blob.blob.str(), blob.frames.size());
    for (const Frame& frame : blob.frames) {
      append_number(text, frame.compressed_bytes);
      put_number(text, frame.unpacked_bytes);
      text += '\n';
    }
  }
  text += fmt::format("kept {}\n", parts_.kept.size());
  for (const auto& [path, content] : parts_.kept) {
    put_string(text, path);
    put_string(text, content);
    text += '\n';
  }
  text += fmt::format("entries {}\n", parts_.entries.size());
  for (const FileEntry& entry : parts_.entries) put_entry(text, entry);

  std::string blob(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress(blob.data(), blob.size(), text.data(), text.size(), kIndexZstdLevel);
  if (ZSTD_isError(size)) throw Error(Category::machine, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  blob.resize(size);
  return blob;
}

FileIndex FileIndex::parse(std::string_view blob, std::string_view where) {
  const std::string inflated = inflate_index(blob, where);
  IndexText text(inflated, where);
  if (!text.skip(kFirstMagic)) text.expect(kMagic);
  Parts parts;
  text.expect("diff ");
  parts.diff_id = text.digest();
  text.expect(" ");
  parts.unpacked_bytes = text.number(INT64_MAX);
  text.expect("\nblobs ");
  std::size_t left = text.count(74);
  text.expect("\n");
  for (; left > 0; --left) {
    parts.blobs.push_back(take_blob(text));
    if (parts.blobs.size() > 1 && parts.blobs[parts.blobs.size() - 2].blob >= parts.blobs.back().blob) {
      text.refuse("blobs are out of order");
    }
  }
  text.expect("kept ");
  left = text.count(5);
  text.expect("\n");
  for (; left > 0; --left) {
    std::string path(text.string());
    if (!parts.kept.empty() && path <= parts.kept.rbegin()->first) text.refuse("kept files are out of order");
    parts.kept.emplace(std::move(path), text.string());
    text.expect("\n");
  }
  text.expect("entries ");
  left = text.count(kShortestEntry.size());
  text.expect("\n");
  parts.entries.reserve(left);
  for (; left > 0; --left) {
    parts.entries.push_back(take_entry(text));
    const std::size_t count = parts.entries.size();
    if (count > 1 && !entry_before(parts.entries[count - 2], parts.entries[count - 1])) {
      text.refuse("entries are out of order");
    }
  }
  if (!text.at_end()) text.refuse("expected the end");
  try {
    return FileIndex(std::move(parts));
  } catch (const Error& error) {
    throw Error(Category::network, fmt::format("{}: {}", where, error.message()));
  }
}

const std::vector<Frame>* FileIndex::frames_of(const oci::Digest& blob) const {
  for (const BlobFrames& candidate : parts_.blobs) {
    if (candidate.blob == blob) return &candidate.frames;
  }
  return nullptr;
}

const std::string* FileIndex::kept_file(std::string_view path) const {
  const auto it = parts_.kept.find(std::string(path));
  return it == parts_.kept.end() ? nullptr : &it->second;
}

const FileEntry* FileIndex::find(std::string_view path) const {
  const auto& all = parts_.entries;
  const auto it = std::partition_point(all.begin(), all.end(),
                                       [&](const FileEntry& entry) { return compare_paths(entry.path, path) < 0; });
  return it != all.end() && it->path == path && it->type != EntryType::opaque ? &*it : nullptr;
}

bool FileIndex::is_opaque(std::string_view folder) const {
  const auto& all = parts_.entries;
  auto it = std::partition_point(all.begin(), all.end(),
                                 [&](const FileEntry& entry) { return compare_paths(entry.path, folder) < 0; });
  for (; it != all.end() && it->path == folder; ++it) {
    if (it->type == EntryType::opaque) return true;
  }
  return false;
}

FileIndex FileIndex::with_blob(BlobFrames blob) const {
  Parts parts = parts_;
  std::erase_if(parts.blobs, [&](const BlobFrames& other) { return other.blob == blob.blob; });
  parts.blobs.push_back(std::move(blob));
  return FileIndex(std::move(parts));
}

bool FileIndex::operator==(const FileIndex& other) const {
  return parts_.diff_id == other.parts_.diff_id && parts_.unpacked_bytes == other.parts_.unpacked_bytes &&
         parts_.blobs == other.parts_.blobs && parts_.kept == other.parts_.kept &&
         parts_.entries == other.parts_.entries;
}

oci::Descriptor store_index(ContentStore& store, const FileIndex& index) {
  oci::Descriptor descriptor = store.put(index.serialise(), kFileIndexMediaType, Durability::ephemeral);
  set_index_of_layer(store, index.diff_id(), descriptor);
  return descriptor;
}

namespace {

// Near enough: what the strings of an entry take beside it, and nothing for the rare attributes.
std::uint64_t bytes_in_memory(const FileIndex& index) {
  std::uint64_t bytes = 0;
  for (const FileEntry& entry : index.entries())
    bytes += sizeof(FileEntry) + entry.path.capacity() + entry.content.str().size();
  return bytes;
}

}  // namespace

std::shared_ptr<const FileIndex> IndexCache::load(const oci::Descriptor& index) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = loaded_.find(index.digest); it != loaded_.end()) return it->second;
  }
  constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{1} << 30;
  FileIndex parsed =
      FileIndex::parse(store_.read(index.digest, kMaxBlobBytes), fmt::format("blob '{}'", index.digest.str()));
  struct Counted {
    FileIndex index;
    HeldBytes held;
  };
  const std::uint64_t bytes = bytes_in_memory(parsed);
  const auto counted =
      std::make_shared<const Counted>(Counted{std::move(parsed), HeldBytes(BufferOwner::file_indexes, bytes)});
  const std::lock_guard lock(mutex_);
  return loaded_.try_emplace(index.digest, std::shared_ptr<const FileIndex>(counted, &counted->index)).first->second;
}

std::shared_ptr<const FileIndex> IndexCache::find(const oci::Digest& diff_id) {
  const auto descriptor = index_of_layer(store_, diff_id);
  if (!descriptor || !store_.has(descriptor->digest)) return nullptr;
  auto index = load(*descriptor);
  if (index->diff_id() != diff_id) {
    throw Error(Category::machine,
                fmt::format("file index '{}': expected that of layer '{}', got that of '{}'; run 'kiln cache verify'",
                            descriptor->digest.str(), diff_id.str(), index->diff_id().str()));
  }
  return index;
}

}  // namespace kiln
