// Reading tars. Written by hand and not on libarchive: that one converts pax names to the locale's encoding and reports
// it as the same warning as damage, does not say where a file's data lies, and reads on over what this room must
// refuse.

#include "builder/layer/layer_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <unordered_set>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/tar_header.hpp"
#include "builder/layer/tar_links.hpp"

namespace kiln {

namespace {

using tar::Block;
using tar::Header;
using tar::kBlock;
using tar::kLibarchiveXattr;
using tar::kSchilyXattr;
using tar::PaxRecords;
using tar::Segment;

constexpr std::size_t kBufferBytes = 256 << 10;
// Of all sparse files of a tar: bytes that it does not hold, and that are hashed and partly written all the same.
constexpr std::uint64_t kMaxHoleBytes = std::uint64_t{64} << 30;
constexpr std::string_view kAufsPrefix = ".wh..wh.";

// What overlayfs keeps for itself must not come out of an archive: it would change what a mount shows.
bool is_overlay_xattr(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

std::uint64_t padding_of(std::uint64_t bytes) { return (kBlock - bytes % kBlock) % kBlock; }

}  // namespace

struct TarReader::State {
  State(ByteSource& source_in, std::string name_in, Whiteouts whiteouts_in, TarLimits limits_in)
      : source(source_in), name(std::move(name_in)), whiteouts(whiteouts_in), limits(limits_in) {}

  ByteSource& source;
  std::string name;
  Whiteouts whiteouts;
  bool has_ordinary_name = false;  // whatever it begins with
  bool is_unnamed = false;         // the entry's name is the empty text
  TarLimits limits;

  ByteBuffer buffer{kBufferBytes};  // not set to zero: most tars that are read are small
  std::size_t buffer_at = 0;
  std::size_t buffer_end = 0;
  std::uint64_t position = 0;  // in the tar, of the next byte

  PaxRecords global;
  TarLinks links{limits.max_link_steps, [this](const std::string& what) { refuse(what); }};
  std::uint64_t entries = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t hole_bytes = 0;
  std::uint64_t path_bytes = 0;
  std::uint64_t unnamed_folder_bytes = 0;
  std::uint64_t property_bytes = 0;
  std::uint64_t global_bytes = 0;           // of the global headers' records
  std::unordered_set<std::size_t> folders;  // hashes of the paths of all that there are so far, with those above them
  std::string last_parent;
  bool ended = false;

  FileEntry entry;
  std::vector<TarExtent> extents;
  std::size_t extent = 0;      // the one being read
  std::uint64_t read_at = 0;   // in the file
  std::uint64_t data_end = 0;  // in the tar, of the current entry with its padding

  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(Category::build, fmt::format("'{}': {} at byte {} of the tar", printable(name), what, position));
  }

  std::size_t read_some(void* out, std::size_t size) {
    if (buffer_at == buffer_end) {
      if (size >= kBufferBytes) {
        const std::size_t count = source.read(out, size);
        position += count;
        return count;
      }
      buffer_at = 0;
      buffer_end = source.read(buffer.data(), buffer.size());
      if (buffer_end == 0) return 0;
    }
    const std::size_t count = std::min(size, buffer_end - buffer_at);
    std::memcpy(out, buffer.data() + buffer_at, count);
    buffer_at += count;
    position += count;
    return count;
  }
  std::size_t read_full(void* out, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const std::size_t count = read_some(static_cast<char*>(out) + done, size - done);
      if (count == 0) break;
      done += count;
    }
    return done;
  }
  void skip_to(std::uint64_t target) {
    while (position < target) {
      if (buffer_at == buffer_end) {
        buffer_at = 0;
        buffer_end = source.read(buffer.data(), buffer.size());
        if (buffer_end == 0) refuse("it is cut");
      }
      const std::uint64_t count = std::min<std::uint64_t>(target - position, buffer_end - buffer_at);
      buffer_at += count;
      position += count;
    }
  }
  void drain() {
    ended = true;
    while (source.read(buffer.data(), buffer.size()) != 0) {
    }
  }
  // False at the end: a zero block, or no block at all.
  bool read_block(Block& block) {
    const std::size_t count = read_full(block.data(), block.size());
    if (count == 0) return false;
    if (count < block.size()) refuse("it is cut");
    return !tar::is_zero(block);
  }
  std::string read_metadata(const Header& header) {
    if (header.size < 0 || static_cast<std::uint64_t>(header.size) > limits.max_header_bytes) {
      refuse(fmt::format("a header of {} bytes, more than {}", header.size, limits.max_header_bytes));
    }
    std::string text(static_cast<std::size_t>(header.size), '\0');
    if (read_full(text.data(), text.size()) != text.size()) refuse("it is cut");
    skip_to(position + padding_of(text.size()));
    return text;
  }
  static std::string until_nul(std::string text) {
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
  }

  // What the metadata headers before an entry said.
  struct Extra {
    std::optional<std::string> long_name;
    std::optional<std::string> long_link;
    PaxRecords pax;
    const std::string* find(const std::string& key, const PaxRecords& fallback) const {
      for (const PaxRecords* records : {&pax, &fallback}) {
        if (const auto it = records->values.find(key); it != records->values.end()) {
          return it->second.empty() ? nullptr : &it->second;
        }
      }
      return nullptr;
    }
  };

  bool next();
  bool take(const Header& header, const Extra& extra, const Block& block);
  void count_path();
  void count_properties();
  void set_common(const Header& header, const Extra& extra);
  void set_xattrs(const PaxRecords& records);
  void set_extents(const Header& header, const Extra& extra, const Block& block, std::uint64_t stored);
  std::vector<Segment> read_sparse_1_0(std::uint64_t stored);
  bool recognise_whiteout();
};

bool TarReader::State::next() {
  if (ended) return false;
  skip_to(data_end);
  Extra extra;
  std::uint64_t metadata_bytes = 0;
  Block block;
  for (;;) {
    if (!read_block(block)) {
      drain();
      return false;
    }
    const auto header = tar::parse_header(block);
    if (!header) refuse("a damaged header");
    switch (header->type) {
      case 'x':
      case 'X':
      case 'g':
      case 'L':
      case 'K': {
        const std::string text = read_metadata(*header);
        metadata_bytes += text.size() + kBlock;
        if (metadata_bytes > limits.max_header_bytes) refuse("too much metadata for one entry");
        if (header->type == 'L') {
          extra.long_name = until_nul(text);
        } else if (header->type == 'K') {
          extra.long_link = until_nul(text);
        } else if (!tar::parse_pax(text, header->type == 'g' ? global : extra.pax)) {
          refuse("a damaged pax header");
        }
        if (header->type == 'g' && (global_bytes += text.size()) > limits.max_global_header_bytes)
          refuse(fmt::format("global headers of more than {} bytes together", limits.max_global_header_bytes));
        break;
      }
      default:
        if (++entries > limits.max_entries) refuse(fmt::format("more than {} entries", limits.max_entries));
        if (take(*header, extra, block)) {
          count_path();
          count_properties();
          return true;
        }
        skip_to(data_end);
        extra = {};
        metadata_bytes = 0;
    }
  }
}

void TarReader::State::count_path() {
  const std::hash<std::string_view> hash;
  path_bytes += entry.path.size();
  const std::string_view parent = parent_path(entry.path);
  if (parent != last_parent) {
    last_parent = parent;
    for (std::string_view folder = parent; !folder.empty(); folder = parent_path(folder)) {
      if (!folders.insert(hash(folder)).second) break;
      path_bytes += folder.size();
      unnamed_folder_bytes += folder.size();
    }
  }
  if (entry.is_directory()) folders.insert(hash(entry.path));
  if (unnamed_folder_bytes > limits.max_unnamed_folder_bytes) {
    refuse(fmt::format("folders that no entry names, whose paths have more than {} bytes together",
                       limits.max_unnamed_folder_bytes));
  }
  if (path_bytes > limits.max_path_bytes)
    refuse(fmt::format("paths of more than {} bytes together", limits.max_path_bytes));
}

void TarReader::State::count_properties() {
  property_bytes += entry.link.size();
  for (const auto& [key, value] : entry.xattrs) property_bytes += key.size() + value.size();
  if (property_bytes > limits.max_property_bytes) {
    refuse(
        fmt::format("link targets and extended attributes of more than {} bytes together", limits.max_property_bytes));
  }
}

// Sets up the entry of a header; false where it is one to pass over.
bool TarReader::State::take(const Header& header, const Extra& extra, const Block& block) {
  entry = {};
  extents.clear();
  extent = 0;
  read_at = 0;
  data_end = position;
  std::uint64_t stored = 0;
  if (const std::string* size = extra.find("size", global)) {
    const auto value = parse_unsigned(*size);
    if (!value) refuse("a damaged size");
    stored = *value;
  } else {
    if (header.size < 0) refuse("a negative size");
    stored = static_cast<std::uint64_t>(header.size);
  }
  if (stored > limits.max_file_bytes) {
    refuse(fmt::format("a file of {} bytes, more than {}", stored, limits.max_file_bytes));
  }
  bool has_data = false;
  switch (header.type) {
    case '0':
    case '\0':
    case '7':
    case 'S':
      entry.type = EntryType::file;
      has_data = true;
      break;
    case '1':
      entry.type = EntryType::hardlink;
      break;
    case '2':
      entry.type = EntryType::symlink;
      break;
    case '3':
      entry.type = EntryType::char_device;
      break;
    case '4':
      entry.type = EntryType::block_device;
      break;
    case '5':
      entry.type = EntryType::directory;
      break;
    case '6':
      entry.type = EntryType::fifo;
      break;
    case 'D':  // a folder of an incremental GNU archive, with a list of names as its data
      entry.type = EntryType::directory;
      data_end = position + stored + padding_of(stored);
      break;
    case 'V':  // a volume's label
      return false;
    default:
      refuse(fmt::format("an entry of unknown type '{}'", printable(std::string(1, header.type))));
  }
  set_common(header, extra);
  if (has_data) {
    data_end = position + stored + padding_of(stored);
    set_extents(header, extra, block, stored);
    if (entry.size > limits.max_file_bytes || entry.size > limits.max_total_bytes - total_bytes) {
      refuse(fmt::format("files of more than {} bytes", std::min(limits.max_file_bytes, limits.max_total_bytes)));
    }
    total_bytes += entry.size;
    if (entry.type == EntryType::directory) {
      entry.size = 0;
      extents.clear();
    }
  }
  // A file without a name cannot be placed anywhere; docker leaves it out too.
  if (whiteouts == Whiteouts::ordinary && is_unnamed && !entry.is_directory()) return false;
  if (whiteouts == Whiteouts::recognise && !recognise_whiteout()) return false;
  check_entry(entry, name, Category::build);
  if (entry.type == EntryType::symlink) {
    links.note(entry.path, entry.link);
  } else if (entry.type != EntryType::whiteout && entry.type != EntryType::opaque) {
    links.forget(entry.path);
  }
  return true;
}

void TarReader::State::set_common(const Header& header, const Extra& extra) {
  has_ordinary_name = false;
  const auto owner = [&](const char* key, std::int64_t plain) {
    std::uint64_t value = static_cast<std::uint64_t>(plain);
    if (const std::string* text = extra.find(key, global)) {
      const auto parsed = parse_unsigned(*text);
      if (!parsed) refuse(fmt::format("a damaged {}", key));
      value = *parsed;
    }
    if (value >= UINT32_MAX) refuse(fmt::format("a {} that is none", key));
    return static_cast<std::uint32_t>(value);
  };
  entry.mode = static_cast<std::uint16_t>(header.mode);
  entry.uid = owner("uid", header.uid);
  entry.gid = owner("gid", header.gid);
  entry.mtime = header.mtime;
  if (const std::string* text = extra.find("mtime", global)) {
    const auto time = tar::parse_pax_time(*text);
    if (!time) refuse("a damaged time");
    entry.mtime = *time;
  }
  entry.mtime = tar::nearest_time(entry.mtime);
  if (entry.type == EntryType::char_device || entry.type == EntryType::block_device) {
    if (header.device_major < 0 || header.device_major > UINT32_MAX || header.device_minor < 0 ||
        header.device_minor > UINT32_MAX) {
      refuse("a device with numbers that are none");
    }
    entry.device_major = static_cast<std::uint32_t>(header.device_major);
    entry.device_minor = static_cast<std::uint32_t>(header.device_minor);
  }

  std::string spelt = extra.long_name.value_or(header.name);
  if (const std::string* path = extra.find("path", global)) spelt = *path;
  if (const std::string* path = extra.find("GNU.sparse.name", global)) spelt = *path;
  // Before POSIX a folder was a file whose name ends in a slash.
  if (entry.type == EntryType::file && spelt.ends_with('/')) entry.type = EntryType::directory;
  is_unnamed = spelt.empty();
  // Docker cleans the names of archives below the folder that they are unpacked into.
  const AboveTop above = whiteouts == Whiteouts::ordinary ? AboveTop::stay : AboveTop::refuse;
  entry.path = links.resolved(canonical_entry_path(spelt, name, above));

  if (entry.type == EntryType::symlink || entry.type == EntryType::hardlink) {
    std::string target = extra.long_link.value_or(header.link);
    if (const std::string* path = extra.find("linkpath", global)) target = *path;
    entry.link = entry.type == EntryType::hardlink ? links.resolved(canonical_entry_path(target, name, above)) : target;
    // It would take away the folder that its target lies in.
    if (entry.type == EntryType::hardlink && entry.link != entry.path && is_within(entry.link, entry.path)) {
      refuse(
          fmt::format("the hard link '{}' to '{}', which lies below it", printable(entry.path), printable(entry.link)));
    }
  }
  set_xattrs(global);
  set_xattrs(extra.pax);
}

void TarReader::State::set_xattrs(const PaxRecords& records) {
  for (auto it = records.values.lower_bound(std::string(kLibarchiveXattr));
       it != records.values.end() && it->first.starts_with(kLibarchiveXattr); ++it) {
    auto value = base64_decoded(it->second);
    if (!value) refuse("a damaged extended attribute");
    entry.xattrs[percent_decoded(std::string_view(it->first).substr(kLibarchiveXattr.size()))] = std::move(*value);
  }
  for (auto it = records.values.lower_bound(std::string(kSchilyXattr));
       it != records.values.end() && it->first.starts_with(kSchilyXattr); ++it) {
    entry.xattrs[it->first.substr(kSchilyXattr.size())] = it->second;
  }
  std::erase_if(entry.xattrs, [](const auto& xattr) { return is_overlay_xattr(xattr.first); });
  if (entry.xattrs.erase(std::string(kOrdinaryNameXattr)) != 0) has_ordinary_name = true;
  for (const auto& [key, value] : entry.xattrs) {
    if (value.size() > limits.max_xattr_bytes) refuse(fmt::format("a value of '{}' that is too large", printable(key)));
  }
}

std::vector<Segment> TarReader::State::read_sparse_1_0(std::uint64_t stored) {
  const std::uint64_t end = position + stored;
  const std::uint64_t begin = position;
  Block block;
  std::size_t at = block.size();
  const auto number = [&]() -> std::uint64_t {
    std::string digits;
    for (;;) {
      if (at == block.size()) {
        if (position - begin > limits.max_header_bytes || position + kBlock > end) refuse("a damaged sparse map");
        if (read_full(block.data(), block.size()) != block.size()) refuse("it is cut");
        at = 0;
      }
      const char c = block[at++];
      if (c == '\n') break;
      if (digits.size() > 20) refuse("a damaged sparse map");
      digits += c;
    }
    const auto value = parse_unsigned(digits);
    if (!value) refuse("a damaged sparse map");
    return *value;
  };
  std::vector<Segment> segments;
  const std::uint64_t count = number();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = number();
    segments.push_back({offset, number()});
  }
  return segments;
}

void TarReader::State::set_extents(const Header& header, const Extra& extra, const Block& block, std::uint64_t stored) {
  const std::uint64_t data_begin = position;
  std::vector<Segment> segments;
  std::optional<std::uint64_t> real_size;
  const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
    const std::string* text = extra.find(key, global);
    if (text == nullptr) return std::nullopt;
    const auto value = parse_unsigned(*text);
    if (!value) refuse(fmt::format("a damaged {}", key));
    return value;
  };
  if (header.type == 'S') {
    const auto size = tar::parse_number({block.data() + 483, 12});
    if (!size || *size < 0 || !tar::parse_sparse_pairs(block, 386, 4, segments)) refuse("a damaged sparse header");
    real_size = static_cast<std::uint64_t>(*size);
    const std::uint64_t map_begin = position;
    for (bool more = block[482] != 0; more;) {
      Block next_block;
      if (read_full(next_block.data(), kBlock) != kBlock) refuse("it is cut");
      if (!tar::parse_sparse_pairs(next_block, 0, 21, segments)) refuse("a damaged sparse header");
      if (position - map_begin > limits.max_header_bytes) refuse("too long a sparse map");
      more = next_block[504] != 0;
    }
    data_end += position - map_begin;
  } else if (number("GNU.sparse.major") == 1u) {
    real_size = number("GNU.sparse.realsize");
    segments = read_sparse_1_0(stored);
    stored -= position - data_begin;
  } else if (const std::string* map = extra.find("GNU.sparse.map", global)) {
    real_size = number("GNU.sparse.size");
    const auto parts = split(*map, ',');
    if (parts.size() % 2 != 0) refuse("a damaged sparse map");
    for (std::size_t i = 0; i < parts.size(); i += 2) {
      const auto offset = parse_unsigned(parts[i]);
      const auto bytes = parse_unsigned(parts[i + 1]);
      if (!offset || !bytes) refuse("a damaged sparse map");
      segments.push_back({*offset, *bytes});
    }
  } else if (extra.pax.has_sparse_pairs) {
    real_size = number("GNU.sparse.size");
    if (extra.pax.sparse.size() % 2 != 0) refuse("a damaged sparse map");
    for (std::size_t i = 0; i < extra.pax.sparse.size(); i += 2) {
      segments.push_back({extra.pax.sparse[i], extra.pax.sparse[i + 1]});
    }
  } else {
    entry.size = stored;
    if (stored > 0) extents.push_back({position, 0, stored});
    return;
  }

  if (!real_size) refuse("a sparse file without its size");
  entry.size = *real_size;
  std::uint64_t in_file = 0;
  std::uint64_t in_tar = 0;
  for (const Segment& segment : segments) {
    if (segment.offset < in_file || segment.offset > *real_size || segment.bytes > *real_size - segment.offset ||
        segment.bytes > stored - in_tar) {
      refuse("a sparse map that cannot be");
    }
    if (segment.bytes > 0) extents.push_back({position + in_tar, segment.offset, segment.bytes});
    in_file = segment.offset + segment.bytes;
    in_tar += segment.bytes;
  }
  if (in_tar != stored) refuse("a sparse map that does not fit the data");
  const std::uint64_t holes = entry.size - in_tar;
  if (holes > kMaxHoleBytes - hole_bytes) {
    refuse(fmt::format("sparse files with holes of more than {} bytes, which would all be written and hashed",
                       kMaxHoleBytes));
  }
  hole_bytes += holes;
}

// Turns a name that is a mark into the entry it means; false for the marks of aufs that mean nothing to others.
bool TarReader::State::recognise_whiteout() {
  const std::string_view base = base_name(entry.path);
  FileEntry mark;
  if (entry.type == EntryType::char_device && entry.device_major == 0 && entry.device_minor == 0) {
    mark.type = EntryType::whiteout;  // overlayfs would take it for one
    mark.path = entry.path;
  } else if (has_ordinary_name || !base.starts_with(kWhiteoutPrefix)) {
    return true;
  } else if (base == kOpaqueMarker) {
    mark.type = EntryType::opaque;
    mark.path = parent_path(entry.path);
  } else if (base.starts_with(kAufsPrefix)) {
    return false;
  } else {
    mark.type = EntryType::whiteout;
    mark.path = join_path(parent_path(entry.path), base.substr(kWhiteoutPrefix.size()));
    if (!is_canonical_entry_path(mark.path) || mark.path.size() == parent_path(entry.path).size()) {
      refuse(fmt::format("'{}' is a whiteout of nothing", printable(entry.path)));
    }
  }
  entry = std::move(mark);
  extents.clear();
  return true;
}

TarReader::TarReader(ByteSource& tar, std::string name, Whiteouts whiteouts, TarLimits limits)
    : state_(std::make_unique<State>(tar, std::move(name), whiteouts, limits)) {}
TarReader::~TarReader() = default;

const FileEntry* TarReader::next() { return state_->next() ? &state_->entry : nullptr; }

const std::vector<TarExtent>& TarReader::extents() const { return state_->extents; }

std::size_t TarReader::read(void* buffer, std::size_t size) {
  State& state = *state_;
  if (state.ended || state.entry.type != EntryType::file) return 0;
  const std::uint64_t left = state.entry.size - state.read_at;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left));
  if (size == 0) return 0;
  std::uint64_t zeros = left;  // up to the next extent
  if (state.extent < state.extents.size()) {
    const TarExtent& extent = state.extents[state.extent];
    if (state.read_at >= extent.file_offset) {
      const std::uint64_t in_extent = extent.bytes - (state.read_at - extent.file_offset);
      const std::size_t count =
          state.read_some(buffer, static_cast<std::size_t>(std::min<std::uint64_t>(size, in_extent)));
      if (count == 0) state.refuse("it is cut");
      state.read_at += count;
      if (count == in_extent) ++state.extent;
      return count;
    }
    zeros = extent.file_offset - state.read_at;
  }
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, zeros));
  std::memset(buffer, 0, count);
  state.read_at += count;
  return count;
}

}  // namespace kiln
