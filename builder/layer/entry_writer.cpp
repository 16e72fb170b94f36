#include "builder/layer/entry_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/byte_buffer.hpp"

namespace kiln {

namespace {

constexpr std::size_t kBlockBytes = 256 << 10;  // what is looked at for zeros, and written, at once
constexpr std::size_t kMinHoleBytes = 4096;
constexpr std::size_t kPieceBytes = 1 << 20;

bool is_hole(std::string_view bytes) {
  return bytes.size() >= kMinHoleBytes && bytes[0] == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace

// A file on its way: whoever writes its last piece sets its properties, of which the time has to come after all bytes.
struct EntryWriter::Pending {
  Fd file;
  FileEntry entry;
  std::atomic<std::uint64_t> left;  // bytes
};

EntryWriter::EntryWriter(const Fd& root, fs::path shown_root, Owners owners, ThreadPool* pool, const CancelToken& cancel)
    : shown_root_(std::move(shown_root)),
      owners_(owners),
      cancel_(cancel),
      buffer_(kBlockBytes, '\0'),
      held_(BufferOwner::unpacking, kBlockBytes),
      new_files_(root) {
  if (pool != nullptr) jobs_.emplace(*pool, BufferOwner::unpacking);
}

Fd EntryWriter::create(const Fd& parent, const std::string& name, mode_t mode) const {
  return Fd(::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, new_files_.take_mode(mode) ? mode : 0600));
}

EntryWriter::Mode EntryWriter::mode_after_create(const FileEntry& entry) const {
  return new_files_.take_mode(entry.mode) ? Mode::is_set : Mode::to_set;
}

void EntryWriter::write(Fd file, const FileEntry& entry, const Read& read) {
  if (jobs_ && entry.size > kPieceBytes) return write_in_pieces(std::move(file), entry, read);
  write_alone(file, entry, read);
  set_properties(file, entry, mode_after_create(entry));
}

void EntryWriter::write_alone(const Fd& file, const FileEntry& entry, const Read& read) {
  const std::string path = shown(entry.path);
  bool ends_in_hole = false;
  while (const std::size_t count = read(buffer_.data(), buffer_.size())) {
    cancel_.check();
    const std::string_view block(buffer_.data(), count);
    ends_in_hole = is_hole(block);
    if (!ends_in_hole) {
      write_all(file, block, path);
    } else if (::lseek(file.get(), static_cast<off_t>(count), SEEK_CUR) < 0) {
      throw_errno("seek in", path);
    }
  }
  if (ends_in_hole && ::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0) throw_errno("extend", path);
}

void EntryWriter::write_in_pieces(Fd file, const FileEntry& entry, const Read& read) {
  const auto pending = std::make_shared<Pending>(std::move(file), entry, entry.size);
  for (std::uint64_t offset = 0; offset < entry.size;) {
    cancel_.check();
    const ByteBuffer piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, entry.size - offset)));
    for (std::size_t filled = 0; filled < piece.size();) {
      const std::size_t count = read(piece.data() + filled, piece.size() - filled);
      if (count == 0) throw Error(Category::build, fmt::format("'{}' ends before its {} bytes", shown(entry.path), entry.size));
      filled += count;
    }
    if (jobs_->full()) jobs_->pop();
    const std::uint64_t at = std::exchange(offset, offset + piece.size());
    jobs_->push(piece.size(), [this, pending, at, piece] { write_piece(pending, at, piece.view()); });
  }
}

void EntryWriter::write_piece(const std::shared_ptr<Pending>& pending, std::uint64_t at, std::string_view piece) {
  const FileEntry& entry = pending->entry;
  const std::shared_ptr<const Fd> file(pending, &pending->file);
  const std::string path = shown(entry.path);
  for (std::size_t done = 0; done < piece.size();) {
    const std::string_view block = piece.substr(done, kBlockBytes);
    done += block.size();
    if (!is_hole(block)) {
      behind_.write(file, block, at + done - block.size(), path);
    } else if (at + done == entry.size && ::ftruncate(file->get(), static_cast<off_t>(entry.size)) != 0) {
      throw_errno("extend", path);
    }
  }
  if (pending->left.fetch_sub(piece.size()) == piece.size()) set_properties(*file, entry, mode_after_create(entry));
}

void EntryWriter::finish() {
  while (jobs_ && !jobs_->empty()) jobs_->pop();
}

bool EntryWriter::may_set(const std::string& attribute) const {
  // Without the right to give files away there is none for the attributes of security either.
  return owners_.give_away || attribute.starts_with("user.");
}

void EntryWriter::set_properties(const Fd& opened, const FileEntry& entry) const { set_properties(opened, entry, Mode::to_set); }

// Order matters: a change of owner clears set-uid bits and capabilities.
void EntryWriter::set_properties(const Fd& opened, const FileEntry& entry, Mode mode) const {
  const std::string path = shown(entry.path);
  const bool give_away = owners_.give_away && !new_files_.have_owner(entry.uid, entry.gid);
  if (give_away && ::fchown(opened.get(), entry.uid, entry.gid) != 0) throw_errno("give away", path);
  for (const auto& [attribute, value] : entry.xattrs) {
    if (may_set(attribute) && ::fsetxattr(opened.get(), attribute.c_str(), value.data(), value.size(), 0) != 0) {
      throw_errno(fmt::format("set the attribute '{}' of", printable(attribute)), path);
    }
  }
  if (mode == Mode::to_set && ::fchmod(opened.get(), entry.mode) != 0) throw_errno("change the mode of", path);
  const timespec times[2] = {{entry.mtime, 0}, {entry.mtime, 0}};
  if (::futimens(opened.get(), times) != 0) throw_errno("set the time of", path);
}

void EntryWriter::set_properties(const Fd& parent, const FileEntry& entry, const std::string& name) const {
  const std::string path = shown(entry.path);
  if (owners_.give_away && !new_files_.have_owner(entry.uid, entry.gid) &&
      ::fchownat(parent.get(), name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    throw_errno("give away", path);
  }
  for (const auto& [attribute, value] : entry.xattrs) {
    // The kernel keeps user.* for files and folders.
    if (attribute.starts_with("user.") || !may_set(attribute)) continue;
    if (::lsetxattr(magic_path(parent, name).c_str(), attribute.c_str(), value.data(), value.size(), 0) != 0) {
      throw_errno(fmt::format("set the attribute '{}' of", printable(attribute)), path);
    }
  }
  // The name was made a moment ago and is no symlink, so that fchmodat does not follow one.
  if (entry.type != EntryType::symlink && ::fchmodat(parent.get(), name.c_str(), entry.mode, 0) != 0) {
    throw_errno("change the mode of", path);
  }
  const timespec times[2] = {{entry.mtime, 0}, {entry.mtime, 0}};
  if (::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set the time of", path);
}

}  // namespace kiln
