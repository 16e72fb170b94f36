#include "builder/layer/tar_encoder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "builder/layer/tar_header.hpp"

namespace kiln {

struct TarEncoder::State {
  std::function<void(std::string_view)> out;
  std::exception_ptr failure;
  bool given_up = false;
  std::string name;  // of the current entry
  bool is_held = false;
  std::string held;  // what libarchive writes while is_held is set
  // Two writers into one stream: ustar for what it can say, pax for the rest. libarchive's pax writer alone would put a
  // pax record before every entry (hdrcharset), which costs a kilobyte each and makes GNU tar warn about each.
  using Writer = std::unique_ptr<archive, decltype(&archive_write_free)>;
  Writer ustar{archive_write_new(), &archive_write_free};
  Writer pax{archive_write_new(), &archive_write_free};
  archive* current = nullptr;  // the writer of the entry whose header came last
  std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry{archive_entry_new(), &archive_entry_free};

  // No exception may pass through libarchive, and an error would leave what it allocated for the output behind; so a
  // failure is kept until check(). Only a tar that is given up gets an error, lest closing it write the rest of a large
  // file.
  static la_ssize_t take(archive*, void* self_pointer, const void* bytes, std::size_t size) {
    auto* self = static_cast<State*>(self_pointer);
    if (self->given_up) return -1;
    try {
      if (self->is_held) {
        self->held.append(static_cast<const char*>(bytes), size);
        return static_cast<la_ssize_t>(size);
      }
      if (!self->failure) self->out({static_cast<const char*>(bytes), size});
      return static_cast<la_ssize_t>(size);
    } catch (...) {
      self->failure = std::current_exception();
      return static_cast<la_ssize_t>(size);
    }
  }

  void check(int result) {
    if (failure) std::rethrow_exception(failure);
    if (result == ARCHIVE_OK) return;
    const char* text = archive_error_string(current);
    throw Error(Category::build, fmt::format("cannot put '{}' into a tar: {}", printable(name),
                                             text == nullptr ? "libarchive states no reason" : text));
  }
};

namespace {

mode_t file_type(EntryType type) {
  switch (type) {
    case EntryType::directory:
      return AE_IFDIR;
    case EntryType::symlink:
      return AE_IFLNK;
    case EntryType::char_device:
      return AE_IFCHR;
    case EntryType::block_device:
      return AE_IFBLK;
    case EntryType::fifo:
      return AE_IFIFO;
    default:
      return AE_IFREG;
  }
}

// How the entry's path is spelt in a layer's tar.
std::string tar_name(const FileEntry& entry) {
  switch (entry.type) {
    case EntryType::whiteout:
      return join_path(parent_path(entry.path), std::string(kWhiteoutPrefix) + std::string(base_name(entry.path)));
    case EntryType::opaque:
      return join_path(entry.path, kOpaqueMarker);
    case EntryType::directory:
      return (entry.path.empty() ? "." : entry.path) + "/";
    default:
      return entry.path;
  }
}

// Whether libarchive would write an attribute's name percent-encoded, which no other writer of layers does, and no
// reader undoes.
bool is_encoded_by_libarchive(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~' || c == '%' || c == '='; });
}

// An attribute as a pax record: by SCHILY's key, as Go's archive/tar has it. A pax key has no '=', so a name with one
// needs libarchive's own key.
struct AttributeRecord {
  std::string key;
  std::string value;
};
AttributeRecord attribute_record(const std::string& name, const std::string& value) {
  if (name.find('=') == std::string::npos) return {fmt::format("{}{}", tar::kSchilyXattr, name), value};
  return {fmt::format("{}{}", tar::kLibarchiveXattr, percent_encoded(name)), base64_encoded(value)};
}

// Writes the records' keys over those that libarchive was handed in their place, which are as long. `header` begins
// with a pax header (its block, then its records); libarchive writes the last of `records` first. False where it did
// not.
bool put_keys(std::string& header, const std::vector<AttributeRecord>& records) {
  if (header.size() < tar::kBlock) return false;
  const auto size = tar::parse_number(std::string_view(header).substr(124, 12));
  if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > header.size() - tar::kBlock) return false;
  std::string_view rest(header.data() + tar::kBlock, static_cast<std::size_t>(*size));
  auto record = records.rbegin();
  while (!rest.empty()) {
    const auto written = tar::take_pax_record(rest);
    if (!written) return false;
    if (!written->key.starts_with(tar::kSchilyXattr)) continue;
    if (record == records.rend() || written->key.size() != record->key.size() || written->value != record->value)
      return false;
    record->key.copy(header.data() + (written->key.data() - header.data()), record->key.size());
    ++record;
  }
  return record == records.rend();
}

}  // namespace

TarEncoder::TarEncoder(std::function<void(std::string_view)> out) : state_(std::make_unique<State>()) {
  state_->out = std::move(out);
  const auto open = [this](archive* tar, int format_result, const char* options) {
    state_->current = tar;
    state_->check(format_result);
    if (*options != '\0') state_->check(archive_write_set_options(tar, options));
    state_->check(archive_write_set_bytes_per_block(tar, 0));
    state_->check(archive_write_open(tar, state_.get(), nullptr, &State::take, nullptr));
  };
  archive* pax = state_->pax.get();
  open(pax, archive_write_set_format_pax_restricted(pax), "hdrcharset=BINARY,xattrheader=SCHILY");
  archive* ustar = state_->ustar.get();
  open(ustar, archive_write_set_format_ustar(ustar), "");  // writes names as they are
}

TarEncoder::~TarEncoder() { state_->given_up = true; }

void TarEncoder::header(const FileEntry& entry) {
  archive_entry* header = archive_entry_clear(state_->entry.get());
  state_->name = tar_name(entry);
  archive_entry_copy_pathname(header, state_->name.c_str());
  archive_entry_set_filetype(header, file_type(entry.type));
  archive_entry_set_perm(header, entry.mode);
  archive_entry_set_uid(header, entry.uid);
  archive_entry_set_gid(header, entry.gid);
  archive_entry_set_mtime(header, entry.mtime, 0);
  archive_entry_set_size(header, entry.type == EntryType::file ? static_cast<la_int64_t>(entry.size) : 0);
  if (entry.type == EntryType::symlink) archive_entry_copy_symlink(header, entry.link.c_str());
  if (entry.type == EntryType::hardlink) archive_entry_copy_hardlink(header, entry.link.c_str());
  if (entry.type == EntryType::char_device || entry.type == EntryType::block_device) {
    archive_entry_set_rdevmajor(header, entry.device_major);
    archive_entry_set_rdevminor(header, entry.device_minor);
  }
  // A hard link is another name: the attributes are its file's, but for what is said of the name itself.
  std::vector<AttributeRecord> records;
  bool are_encoded = false;
  for (const auto& [name, value] : entry.xattrs) {
    if (entry.type == EntryType::hardlink && name != kOrdinaryNameXattr) continue;
    are_encoded = are_encoded || is_encoded_by_libarchive(name);
    records.push_back(attribute_record(name, value));
  }
  for (const auto& [key, value] : records) {
    std::string name = key.substr(tar::kSchilyXattr.size());
    if (are_encoded) name.assign(key.size() - tar::kSchilyXattr.size(), 'x');  // put_keys() has the right ones
    archive_entry_xattr_add_entry(header, name.c_str(), value.data(), value.size());
  }
  // ustar refuses, before it writes anything, what does not fit into its fields; attributes it would drop unsaid.
  if (state_->current != nullptr) state_->check(archive_write_finish_entry(state_->current));
  state_->current = state_->ustar.get();
  const bool fits =
      archive_entry_xattr_count(header) == 0 && archive_write_header(state_->current, header) == ARCHIVE_OK;
  if (fits) return state_->check(ARCHIVE_OK);
  state_->current = state_->pax.get();
  state_->is_held = are_encoded;
  const int result = archive_write_header(state_->current, header);
  state_->is_held = false;
  state_->check(result);
  if (!are_encoded) return;
  if (!put_keys(state_->held, records))
    throw Error(Category::build,
                fmt::format("cannot put the extended attributes of '{}' into a tar", printable(state_->name)));
  state_->out(state_->held);
  state_->held.clear();
}

void TarEncoder::data(std::string_view bytes) {
  while (!bytes.empty()) {
    const la_ssize_t count = archive_write_data(state_->current, bytes.data(), bytes.size());
    if (count <= 0) state_->check(count == 0 ? ARCHIVE_FATAL : static_cast<int>(count));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (state_->failure) std::rethrow_exception(state_->failure);
}

void TarEncoder::finish() {
  state_->check(archive_write_finish_entry(state_->current));
  // One writer ends the stream; the other is given up when this object goes.
  state_->current = state_->ustar.get();
  state_->check(archive_write_close(state_->current));
}

}  // namespace kiln
