#include "builder/layer/entry_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/byte_buffer.hpp"

namespace kiln {

namespace {

constexpr std::size_t kWriteBytes = 256 << 10;  // what is looked at for zeros, and written, at once
constexpr std::size_t kMinHoleBytes = 4096;
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kBatchFiles = 64;

bool is_hole(std::string_view bytes) {
  return bytes.size() >= kMinHoleBytes && bytes[0] == '\0' &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// After a failed change of owner.
[[noreturn]] void refuse_owner(const FileEntry& entry, const std::string& path) {
  if (errno != EINVAL) throw_errno("give away", path);
  throw Error(Category::machine,
              fmt::format("cannot give '{}' to {}:{}: this user namespace has no such ID; let it have more IDs "
                          "(/etc/subuid and /etc/subgid), or run kiln as root outside of it",
                          printable(path), entry.uid, entry.gid));
}

}  // namespace

// A file on its way: the thread that writes its last piece sets its properties, of which the time has to come after all
// bytes.
struct EntryWriter::Pending {
  Pending(Fd file_in, FileEntry entry_in, std::uint64_t bytes)
      : file(std::move(file_in)), entry(std::move(entry_in)), left(bytes) {}

  Fd file;
  FileEntry entry;
  std::atomic<std::uint64_t> left;  // bytes
};

// Small files on their way, and their bytes one after the other.
struct EntryWriter::Batch {
  struct File {
    std::shared_ptr<const Fd> parent;
    std::string name;
    FileEntry entry;
    std::size_t offset;
    bool name_is_taken = false;
  };
  std::string_view bytes_of(const File& file) const {
    return bytes.view().substr(file.offset, static_cast<std::size_t>(file.entry.size));
  }

  std::vector<File> files;
  ByteBuffer bytes{kBatchBytes};
  std::size_t filled = 0;
};

EntryWriter::EntryWriter(Root root, ThreadPool* pool, MakeRoom make_room, const CancelToken& cancel)
    : shown_root_(std::move(root.shown)),
      gives_away_(root.gives_away),
      cancel_(cancel),
      buffer_(kWriteBytes, '\0'),
      held_(BufferOwner::unpacking, kWriteBytes + (pool == nullptr ? 0 : kBatchBytes)),
      new_files_(root.folder),
      make_room_(std::move(make_room)) {
  if (pool != nullptr) jobs_.emplace(*pool, BufferOwner::unpacking);
}

Fd EntryWriter::create(const Fd& parent, const std::string& name, mode_t mode) const {
  return Fd(::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     new_files_.take_mode(mode) ? mode : 0600));
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
      if (count == 0)
        throw Error(Category::build, fmt::format("'{}' ends before its {} bytes", shown(entry.path), entry.size));
      filled += count;
    }
    if (jobs_->full()) settle(jobs_->pop());
    const std::uint64_t at = std::exchange(offset, offset + piece.size());
    jobs_->push(piece.size(), [this, pending, at, piece] {
      write_piece(pending, at, piece.view());
      return std::shared_ptr<Batch>();
    });
  }
}

void EntryWriter::write_piece(const std::shared_ptr<Pending>& pending, std::uint64_t at, std::string_view piece) {
  const FileEntry& entry = pending->entry;
  const std::shared_ptr<const Fd> file(pending, &pending->file);
  const std::string path = shown(entry.path);
  for (std::size_t done = 0; done < piece.size();) {
    const std::string_view block = piece.substr(done, kWriteBytes);
    done += block.size();
    if (!is_hole(block)) {
      behind_.write(file, block, at + done - block.size(), path);
    } else if (at + done == entry.size && ::ftruncate(file->get(), static_cast<off_t>(entry.size)) != 0) {
      throw_errno("extend", path);
    }
  }
  if (pending->left.fetch_sub(piece.size()) == piece.size()) set_properties(*file, entry, mode_after_create(entry));
}

void EntryWriter::write_soon(std::shared_ptr<const Fd> parent, std::string name, const FileEntry& entry,
                             const Read& read) {
  const auto size = static_cast<std::size_t>(entry.size);
  if (batch_ && (batch_->files.size() == kBatchFiles || size > kBatchBytes - batch_->filled)) send_batch();
  if (!batch_) batch_ = std::make_shared<Batch>();
  for (std::size_t filled = 0; filled < size;) {
    const std::size_t count = read(batch_->bytes.data() + batch_->filled + filled, size - filled);
    if (count == 0) throw Error(Category::build, fmt::format("'{}' ends before its {} bytes", shown(entry.path), size));
    filled += count;
  }
  batch_->files.push_back({std::move(parent), std::move(name), entry, batch_->filled});
  batch_->filled += size;
  pending_.insert(entry.path);
}

bool EntryWriter::take_back(std::string_view path) {
  if (!batch_) return false;
  const auto file = std::find_if(batch_->files.begin(), batch_->files.end(),
                                 [&](const Batch::File& item) { return item.entry.path == path; });
  if (file == batch_->files.end()) return false;
  if (file + 1 == batch_->files.end()) batch_->filled = file->offset;
  batch_->files.erase(file);
  pending_.erase(std::string(path));
  return true;
}

void EntryWriter::send_batch() {
  if (jobs_->full()) settle(jobs_->pop());
  jobs_->push(kBatchBytes, [this, batch = std::exchange(batch_, nullptr)] {
    write_batch(*batch);
    return batch;
  });
}

void EntryWriter::write_batch(Batch& batch) const {
  for (Batch::File& file : batch.files) {
    cancel_.check();
    const Fd made = create(*file.parent, file.name, file.entry.mode);
    if (made) {
      write_whole(made, file.entry, batch.bytes_of(file));
    } else if (errno == EEXIST) {
      file.name_is_taken = true;
    } else {
      throw_errno("create", shown(file.entry.path));
    }
  }
}

void EntryWriter::write_whole(const Fd& file, const FileEntry& entry, std::string_view bytes) const {
  if (!is_hole(bytes)) {
    write_all(file, bytes, shown(entry.path));
  } else if (::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0) {
    throw_errno("extend", shown(entry.path));
  }
  set_properties(file, entry, mode_after_create(entry));
}

// Makes the files of a batch that found their names taken.
void EntryWriter::settle(const std::shared_ptr<Batch>& batch) {
  if (!batch) return;
  for (const Batch::File& file : batch->files) {
    if (file.name_is_taken) {
      make_room_(*file.parent, file.entry, file.name);
      const Fd made = create(*file.parent, file.name, file.entry.mode);
      if (!made) throw_errno("create", shown(file.entry.path));
      write_whole(made, file.entry, batch->bytes_of(file));
    }
    pending_.erase(file.entry.path);
  }
}

void EntryWriter::finish() {
  if (!jobs_) return;
  if (batch_) send_batch();
  while (!jobs_->empty()) settle(jobs_->pop());
}

bool EntryWriter::may_set(const std::string& attribute) const {
  // Without the right to give files away there is none for the attributes of security either.
  return gives_away_ || attribute.starts_with("user.");
}

// After a failed call. An attribute of another system (SELinux, NFS, a tmpfs that keeps no user.*) stays in the layer
// and its index, and is not on this machine's disk, as docker has it. A program's capabilities are no such attribute.
void EntryWriter::leave_out_or_throw(const std::string& attribute, const std::string& path) const {
  const bool is_foreign = errno == EOPNOTSUPP || errno == EPERM || errno == EINVAL;
  if (!is_foreign || attribute == "security.capability") {
    throw_errno(fmt::format("set the attribute '{}' of", printable(attribute)), path);
  }
}

void EntryWriter::set_properties(const Fd& opened, const FileEntry& entry) const {
  set_properties(opened, entry, Mode::to_set);
}

// Order matters: a change of owner clears set-uid bits and capabilities.
void EntryWriter::set_properties(const Fd& opened, const FileEntry& entry, Mode mode) const {
  const std::string path = shown(entry.path);
  const bool give_away = gives_away_ && !new_files_.have_owner(entry.uid, entry.gid);
  if (give_away && ::fchown(opened.get(), entry.uid, entry.gid) != 0) refuse_owner(entry, path);
  for (const auto& [attribute, value] : entry.xattrs) {
    if (may_set(attribute) && ::fsetxattr(opened.get(), attribute.c_str(), value.data(), value.size(), 0) != 0) {
      leave_out_or_throw(attribute, path);
    }
  }
  if (mode == Mode::to_set && ::fchmod(opened.get(), entry.mode) != 0) throw_errno("change the mode of", path);
  const timespec times[2] = {{entry.mtime, 0}, {entry.mtime, 0}};
  if (::futimens(opened.get(), times) != 0) throw_errno("set the time of", path);
}

void EntryWriter::set_properties(const Fd& parent, const FileEntry& entry, const std::string& name) const {
  const std::string path = shown(entry.path);
  if (gives_away_ && !new_files_.have_owner(entry.uid, entry.gid) &&
      ::fchownat(parent.get(), name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    refuse_owner(entry, path);
  }
  for (const auto& [attribute, value] : entry.xattrs) {
    // The kernel keeps user.* for files and folders.
    if (attribute.starts_with("user.") || !may_set(attribute)) continue;
    if (::lsetxattr(magic_path(parent, name).c_str(), attribute.c_str(), value.data(), value.size(), 0) != 0) {
      leave_out_or_throw(attribute, path);
    }
  }
  // The name was made a moment ago and is no symlink, so that fchmodat does not follow one.
  if (entry.type != EntryType::symlink && ::fchmodat(parent.get(), name.c_str(), entry.mode, 0) != 0) {
    throw_errno("change the mode of", path);
  }
  const timespec times[2] = {{entry.mtime, 0}, {entry.mtime, 0}};
  if (::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set the time of", path);
}

bool EntryWriter::take_header(const Fd& parent, const FileEntry& header, const std::string& name) const {
  const std::string path = shown(header.path);
  struct stat now {};
  if (::fstatat(parent.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat", path);
  const bool is_symlink = S_ISLNK(now.st_mode);
  const bool other_owner = gives_away_ && (now.st_uid != header.uid || now.st_gid != header.gid);
  const bool other_mode = !is_symlink && (now.st_mode & 07777) != header.mode;
  const bool other_time = !is_symlink && now.st_mtim.tv_sec != header.mtime;
  if (other_owner) {
    // The kernel takes a program's capabilities away with its owner.
    constexpr const char* kCapability = "security.capability";
    const std::string place = magic_path(parent, name);
    std::string value(64, '\0');
    const ssize_t size = ::lgetxattr(place.c_str(), kCapability, value.data(), value.size());
    if (::fchownat(parent.get(), name.c_str(), header.uid, header.gid, AT_SYMLINK_NOFOLLOW) != 0)
      refuse_owner(header, path);
    if (size > 0 && ::lsetxattr(place.c_str(), kCapability, value.data(), static_cast<std::size_t>(size), 0) != 0)
      throw_errno("set the capabilities of", path);
  }
  if (!is_symlink && (other_owner || other_mode) && ::fchmodat(parent.get(), name.c_str(), header.mode, 0) != 0)
    throw_errno("change the mode of", path);
  const timespec times[2] = {{header.mtime, 0}, {header.mtime, 0}};
  if (other_time && ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("set the time of", path);
  return other_owner || other_mode || other_time;
}

}  // namespace kiln
