#include "builder/solve/plain_tar.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>

#include "base/error.hpp"

namespace kiln {

struct PlainTar::State {
  archive* writer = archive_write_new();
  std::string destination;

  [[noreturn]] void fail() const {
    const char* text = archive_error_string(writer);
    throw Error(Category::machine, fmt::format("cannot write the archive '{}': {}", destination, text ? text : "unknown"));
  }
  void check(int result) const {
    if (result < ARCHIVE_WARN) fail();
  }
};

PlainTar::PlainTar(int fd, std::string destination) : state_(std::make_unique<State>()) {
  state_->destination = std::move(destination);
  state_->check(archive_write_set_format_pax_restricted(state_->writer));
  state_->check(archive_write_set_options(state_->writer, "hdrcharset=BINARY,xattrheader=SCHILY"));
  archive_write_set_bytes_in_last_block(state_->writer, 1);
  state_->check(archive_write_open_fd(state_->writer, fd));
}

PlainTar::~PlainTar() {
  archive_write_fail(state_->writer);
  archive_write_free(state_->writer);
}

void PlainTar::add_directory(const std::string& path) {
  FileEntry entry;
  entry.path = path;
  entry.type = EntryType::directory;
  entry.mode = 0755;
  begin_entry(entry);
}

void PlainTar::begin_file(const std::string& path, std::uint64_t size) {
  FileEntry entry;
  entry.path = path;
  entry.mode = 0644;
  entry.size = size;
  begin_entry(entry);
}

void PlainTar::begin_entry(const FileEntry& entry) {
  unsigned type = AE_IFREG;
  switch (entry.type) {
    case EntryType::directory: type = AE_IFDIR; break;
    case EntryType::symlink: type = AE_IFLNK; break;
    case EntryType::char_device: type = AE_IFCHR; break;
    case EntryType::block_device: type = AE_IFBLK; break;
    case EntryType::fifo: type = AE_IFIFO; break;
    default: break;
  }
  archive_entry* header = archive_entry_new();
  archive_entry_copy_pathname(header, (entry.is_directory() ? entry.path + "/" : entry.path).c_str());
  archive_entry_set_mode(header, type | entry.mode);
  archive_entry_set_uid(header, entry.uid);
  archive_entry_set_gid(header, entry.gid);
  archive_entry_set_size(header, type == AE_IFREG ? static_cast<la_int64_t>(entry.size) : 0);
  archive_entry_set_mtime(header, entry.mtime, 0);
  if (entry.type == EntryType::symlink) archive_entry_copy_symlink(header, entry.link.c_str());
  if (type == AE_IFCHR || type == AE_IFBLK) archive_entry_set_rdev(header, makedev(entry.device_major, entry.device_minor));
  for (const auto& [name, value] : entry.xattrs) archive_entry_xattr_add_entry(header, name.c_str(), value.data(), value.size());
  const int result = archive_write_header(state_->writer, header);
  archive_entry_free(header);
  state_->check(result);
}

void PlainTar::write(std::string_view bytes) {
  if (archive_write_data(state_->writer, bytes.data(), bytes.size()) != static_cast<la_ssize_t>(bytes.size())) state_->fail();
}

void PlainTar::finish() { state_->check(archive_write_close(state_->writer)); }

}  // namespace kiln
