// Unpacking: entries in tar order, each made relative to its parent folder's descriptor.
//
// TarReader has already followed the tar's own symlinks in parents' names, so a symlink (or anything else that is no
// folder) that stands where a parent should be came before by another layer's doing; a folder replaces it, as it
// would in overlayfs. Folders are made with mode 0700 and get their mode and times at the end, children first, since
// writing into them changes their times and a mode may forbid it.

#include "builder/layer/unpack.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/entry_writer.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/path_before.hpp"
#include "builder/layer/read_ahead.hpp"

namespace kiln {

namespace {

bool is_whiteout_of_overlay(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

// Where and how a layer is unpacked; borrowed.
struct Destination {
  const fs::path& folder;
  const LowerLayers& lower;
  const UnpackOptions& options;
  ThreadPool* pool;  // may be null
};

class Unpacker {
 public:
  Unpacker(TarReader& tar, std::string_view name, const Destination& to, const CancelToken& cancel)
      : tar_(tar),
        name_(name),
        root_(open_directory(to.folder)),
        lower_(to.lower),
        options_(to.options),
        cancel_(cancel),
        files_(
            {root_, to.folder, to.options.ownership}, to.pool,
            [this](const Fd& parent, const FileEntry& entry, const std::string& taken) {
              remove(parent, entry.path, taken);
            },
            cancel) {
    if (!lower_.folders.empty() && lower_.folders.size() != lower_.view.layers().size()) {
      throw Error(Category::machine, "unpacking: as many folders as lower layers are needed");
    }
  }

  UnpackResult run() {
    while (const FileEntry* entry = tar_.next()) {
      cancel_.check();
      unpack(*entry);
      ++result_.entries;
    }
    files_.finish();
    take_link_headers();
    remove_idle_whiteouts();
    finish_folders();
    return result_;
  }

 private:
  // The header of a hard link that says something else than its file's, and that file.
  struct LinkHeader {
    FileEntry entry;
    dev_t device = 0;
    ino_t inode = 0;
    std::size_t number = 0;  // the order in which they came
  };

  std::string shown(std::string_view path) const { return files_.shown(path); }
  bool is_overlay() const noexcept { return options_.to == UnpackTo::overlay_lower; }

  // The parent of a path, made where it is missing.
  const Fd& parent_of(std::string_view path) { return folder_at(parent_path(path)); }

  const Fd& folder_at(std::string_view path) {
    if (current_ && current_path_ == path) return *current_;
    Fd fd = open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
    if (!fd) {
      if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) throw_errno("open folder", shown(path));
      fd = make_missing(path);
    }
    current_ = std::make_shared<const Fd>(std::move(fd));
    current_path_ = path;
    return *current_;
  }

  // A folder that the layer reaches through without describing it: as the lower layers have it.
  Fd make_missing(std::string_view path) {
    const Fd& parent = parent_of(path);
    const std::string name(base_name(path));
    make_folder(parent, path, name);
    if (!folders_.contains(std::string(path))) {
      FileEntry folder = implied_folder(path);
      if (const auto below = lower_.view.lookup(path); below && below->entry->is_directory()) folder = *below->entry;
      folder.path = path;
      undescribed_.emplace(path);
      folders_.emplace(std::string(path), std::move(folder));
    }
    Fd fd = open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
    if (!fd) throw_errno("open folder", shown(path));
    return fd;
  }

  // Makes sure that there is a folder of that name; what is there and is none is removed.
  void make_folder(const Fd& parent, std::string_view path, const std::string& name) {
    if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) {
      if (errno != EEXIST) throw_errno("create folder", shown(path));
      struct stat info;
      if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat", shown(path));
      if (S_ISDIR(info.st_mode)) return;
      if (::unlinkat(parent.get(), name.c_str(), 0) != 0) throw_errno("remove", shown(path));
      if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) throw_errno("create folder", shown(path));
    }
    // What a whiteout hid must stay hidden, also where a file stood in its place meanwhile.
    if (hidden_.contains(std::string(path))) set_opaque(parent, path, name);
  }

  void set_opaque(const Fd& parent, std::string_view path, const std::string& name) {
    const Fd folder(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) throw_errno("open folder", shown(path));
    set_opaque(folder, path);
  }
  void set_opaque(const Fd& folder, std::string_view path) {
    const char* attribute = name_of_opaque_xattr(options_.overlay_xattrs);
    if (::fsetxattr(folder.get(), attribute, "y", 1, 0) != 0) throw_errno("mark as opaque", shown(path));
    opaque_.emplace(path);
  }

  // Removes what is there, whatever it is.
  void remove(const Fd& parent, std::string_view path, const std::string& name) {
    remove_tree(fs::path(magic_path(parent, name)));
    const auto forget = [path = std::string(path)](auto& known, const auto& name_of) {
      for (auto it = known.lower_bound(path); it != known.end() && is_within(name_of(*it), path);) it = known.erase(it);
    };
    const auto itself = [](const std::string& item) -> const std::string& { return item; };
    forget(folders_, [](const auto& item) -> const std::string& { return item.first; });
    forget(headers_, [](const auto& item) -> const std::string& { return item.first; });
    forget(undescribed_, itself);
    forget(opaque_, itself);
    const bool is_hidden = hidden_.contains(std::string(path));
    forget(hidden_, itself);
    if (is_hidden) hidden_.emplace(path);
    if (is_within(current_path_, path)) current_.reset();
  }

  // Runs a system call that makes a name; where the name is taken, what is there is removed first.
  template <class Call>
  void make(const Fd& parent, std::string_view path, const std::string& name, const char* what, const Call& call) {
    if (call() == 0) return;
    if (errno == EEXIST) {
      files_.finish();  // some of them may be on their way into a folder of that name
      remove(parent, path, name);
      if (call() == 0) return;
    }
    throw_errno(what, shown(path));
  }

  // Small files are made a while after they were read: before anything that has to do with one of them.
  void settle_before(const FileEntry& entry) {
    const bool is_link = entry.type == EntryType::hardlink;
    // A mark hides what lower layers have of that name, not what is here.
    const bool takes_place = !is_link && entry.type != EntryType::whiteout && entry.type != EntryType::opaque;
    const bool is_pending = files_.is_pending(entry.path);
    const bool is_taken_back = is_pending && takes_place && files_.take_back(entry.path);
    // A file that is never made takes away what stood in its place all the same.
    if (is_taken_back && entry.is_directory()) empty_place(entry.path);
    const bool meets = is_pending && !is_taken_back;
    if (meets || (is_link && files_.is_pending(entry.link)) || has_pending_parent(entry.path)) files_.finish();
  }
  void empty_place(const std::string& path) {
    const Fd parent = open_beneath(root_, parent_path(path), O_RDONLY | O_DIRECTORY);
    const std::string name(base_name(path));
    if (!parent || ::faccessat(parent.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) return;
    files_.finish();
    remove(parent, path, name);
  }
  bool has_pending_parent(std::string_view path) {
    const std::string_view parent = parent_path(path);
    if (settled_parent_ == parent) return false;
    for (std::string_view above = parent; !above.empty(); above = parent_path(above)) {
      if (files_.is_pending(above)) return true;
    }
    settled_parent_ = parent;
    return false;
  }

  void unpack(const FileEntry& entry) {
    settle_before(entry);
    if (entry.path.empty()) {
      if (entry.is_directory()) folders_.insert_or_assign(std::string(), entry);
      if (entry.type == EntryType::opaque) hide_below(entry);
      return;
    }
    if (entry.type == EntryType::opaque) {
      hide_below(entry);
      return;
    }
    if (entry.type == EntryType::whiteout) {
      hide(entry);
      return;
    }
    const std::string name(base_name(entry.path));
    if (!is_overlay()) made_.insert(entry.path);
    const Fd& parent = parent_of(entry.path);
    switch (entry.type) {
      case EntryType::directory:
        make_folder(parent, entry.path, name);
        undescribed_.erase(entry.path);
        folders_.insert_or_assign(entry.path, entry);
        return;
      case EntryType::file:
        unpack_file(parent, entry, name);
        return;
      case EntryType::hardlink:
        unpack_hardlink(entry, name);
        return;
      case EntryType::symlink:
        make(parent, entry.path, name, "create link",
             [&] { return ::symlinkat(entry.link.c_str(), parent.get(), name.c_str()); });
        break;
      default:
        if (entry.type != EntryType::fifo && !options_.devices) {
          ++result_.devices_left_out;
          return;
        }
        make_node(parent, entry, name);
    }
    files_.set_properties(parent, entry, name);
  }

  void make_node(const Fd& parent, const FileEntry& entry, const std::string& name) {
    mode_t type = S_IFIFO;
    if (entry.type == EntryType::char_device) type = S_IFCHR;
    if (entry.type == EntryType::block_device) type = S_IFBLK;
    const dev_t device = type == S_IFIFO ? 0 : makedev(entry.device_major, entry.device_minor);
    make(parent, entry.path, name, "create device",
         [&] { return ::mknodat(parent.get(), name.c_str(), type | 0600, device); });
  }

  void hide(const FileEntry& entry) {
    const std::string name(base_name(entry.path));
    if (!is_overlay()) {
      if (!made_.contains(entry.path)) {
        const Fd parent = open_beneath(root_, parent_path(entry.path), O_RDONLY | O_DIRECTORY);
        if (parent) remove_lower(parent, entry.path, name);
      } else {
        empty_folder(entry.path);
      }
      return;
    }
    const Fd& parent = parent_of(entry.path);
    hidden_.insert(entry.path);
    if (::mknodat(parent.get(), name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return;
    if (errno != EEXIST) throw_errno("create a whiteout at", shown(entry.path));
    // The layer has something of that name already, which covers the lower layers' by itself; a folder would let them
    // through.
    struct stat info;
    if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat", shown(entry.path));
    if (S_ISDIR(info.st_mode)) set_opaque(parent, entry.path, name);
  }

  void hide_below(const FileEntry& entry) {
    if (!is_overlay()) {
      empty_folder(entry.path);
      return;
    }
    set_opaque(folder_at(entry.path), entry.path);
  }

  // For a plain tree: removes what this layer did not make at and below a path.
  void remove_lower(const Fd& parent, const std::string& path, const std::string& name) {
    struct stat info;
    if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (made_.contains(path)) {
      if (S_ISDIR(info.st_mode)) empty_folder(path);
      return;
    }
    const auto ours = made_.lower_bound(path);
    if (ours != made_.end() && is_within(*ours, path)) {
      empty_folder(path);
    } else {
      remove(parent, path, name);
    }
  }
  void empty_folder(const std::string& path) {
    const Fd folder = open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
    if (!folder) return;
    std::vector<std::string> names;
    for (const auto& item : fs::directory_iterator(magic_path(folder, "")))
      names.push_back(item.path().filename().native());
    for (const std::string& name : names) remove_lower(folder, join_path(path, name), name);
  }

  void unpack_file(const Fd& parent, const FileEntry& entry, const std::string& name) {
    // A plain tree's whiteouts look at what is there.
    if (is_overlay() && files_.takes(entry)) {
      if (settled_parent_ && is_within(*settled_parent_, entry.path)) settled_parent_.reset();
      files_.write_soon(current_, name, entry, [&](char* bytes, std::size_t size) { return tar_.read(bytes, size); });
      result_.bytes += entry.size;
      return;
    }
    write_file(parent, entry, name, [&](char* bytes, std::size_t size) { return tar_.read(bytes, size); });
  }

  void write_file(const Fd& parent, const FileEntry& entry, const std::string& name, const EntryWriter::Read& read) {
    Fd file;
    make(parent, entry.path, name, "create", [&] {
      file = files_.create(parent, name, entry.mode);
      return file ? 0 : -1;
    });
    files_.write(std::move(file), entry, read);
    result_.bytes += entry.size;
  }

  void unpack_hardlink(const FileEntry& entry, const std::string& name) {
    const Fd target_parent = open_beneath(root_, parent_path(entry.link), O_RDONLY | O_DIRECTORY);
    const std::string target_name(base_name(entry.link));
    struct stat info;
    const bool is_here = target_parent &&
                         ::fstatat(target_parent.get(), target_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                         !(is_overlay() && is_whiteout_of_overlay(info));
    const Fd& parent = parent_of(entry.path);
    if (!is_here) {
      copy_from_lower(parent, entry, name);
      return;
    }
    if (S_ISDIR(info.st_mode)) refuse_link(entry);
    make(parent, entry.path, name, "link",
         [&] { return ::linkat(target_parent.get(), target_name.c_str(), parent.get(), name.c_str(), 0); });
    if (files_.take_header(parent, entry, name))
      headers_.insert_or_assign(entry.path, LinkHeader{entry, info.st_dev, info.st_ino, next_header_++});
  }

  // What is written by other threads had its properties set after those of its links.
  void take_link_headers() const {
    std::vector<const LinkHeader*> in_order;
    for (const auto& [path, header] : headers_) in_order.push_back(&header);
    std::sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) { return a->number < b->number; });
    for (const LinkHeader* header : in_order) {
      const Fd parent = open_beneath(root_, parent_path(header->entry.path), O_RDONLY | O_DIRECTORY);
      const std::string name(base_name(header->entry.path));
      struct stat info {};
      const bool is_there = parent && ::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
      if (is_there && info.st_dev == header->device && info.st_ino == header->inode)
        files_.take_header(parent, header->entry, name);
    }
  }

  [[noreturn]] void refuse_link(const FileEntry& entry) const {
    throw Error(Category::build,
                fmt::format("'{}': hard link '{}' to '{}', which is no file of this layer or those below", name_,
                            printable(entry.path), printable(entry.link)));
  }

  // Two folders of an overlay cannot share an inode, so the link becomes a file.
  void copy_from_lower(const Fd& parent, const FileEntry& entry, const std::string& name) {
    const auto found = lower_.view.lookup(entry.link);
    if (!found) refuse_link(entry);
    FileEntry copy = *found->entry;
    copy.path = entry.path;
    if (copy.type == EntryType::symlink) {
      make(parent, entry.path, name, "create link",
           [&] { return ::symlinkat(copy.link.c_str(), parent.get(), name.c_str()); });
      files_.set_properties(parent, copy, name);
      return;
    }
    const auto file = lower_.view.file_behind(*found);
    if (!file || lower_.folders.empty()) refuse_link(entry);
    copy = *file->entry;
    copy.path = entry.path;
    const fs::path& folder = lower_.folders[file->layer];
    const Fd from = open_beneath(open_directory(folder), file->path, O_RDONLY | O_NONBLOCK);
    if (!from) throw_errno("open", (folder / file->path).native());
    write_file(parent, copy, name,
               [&](char* bytes, std::size_t size) { return read_some(from, bytes, size, file->path); });
  }

  static FileEntry implied_folder(std::string_view path) {
    FileEntry folder;
    folder.path = path;
    folder.type = EntryType::directory;
    folder.mode = 0755;
    return folder;
  }
  // Whether the lower layers' folder of that path does not show, so that it says nothing about this layer's. The mark
  // may stand behind what it is about.
  bool is_below_opaque(std::string_view path) const {
    while (!path.empty()) {
      path = parent_path(path);
      if (opaque_.contains(std::string(path))) return true;
    }
    return false;
  }

  // overlayfs lists the whiteouts of a folder that it merges with nothing, as names that cannot be looked up. So those
  // that hide nothing are taken away.
  void remove_idle_whiteouts() {
    for (const std::string& path : hidden_) {
      if (!is_below_opaque(path) && lower_.view.lookup(path)) continue;
      const Fd parent = open_beneath(root_, parent_path(path), O_RDONLY | O_DIRECTORY);
      const std::string name(base_name(path));
      struct stat info;
      if (!parent || ::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (is_whiteout_of_overlay(info) && ::unlinkat(parent.get(), name.c_str(), 0) != 0)
        throw_errno("remove", shown(path));
    }
  }

  MergedView::Found root_of_lower() const { return *lower_.view.lookup(""); }

  void finish_folders() {
    current_.reset();
    // An overlay shows its root as the topmost layer has it.
    if (is_overlay() && !folders_.contains("")) folders_.emplace("", *root_of_lower().entry);
    for (const std::string& path : undescribed_) {
      if (is_below_opaque(path)) folders_[path] = implied_folder(path);
    }
    for (auto it = folders_.rbegin(); it != folders_.rend(); ++it) {
      const Fd folder = open_beneath(root_, it->first, O_RDONLY | O_DIRECTORY);
      if (!folder) {
        if (errno == ENOENT && !is_overlay()) continue;  // a later whiteout took it
        throw_errno("open folder", shown(it->first));
      }
      files_.set_properties(folder, it->second);
    }
  }

  TarReader& tar_;
  std::string name_;
  Fd root_;
  const LowerLayers& lower_;
  const UnpackOptions& options_;
  const CancelToken& cancel_;
  std::shared_ptr<const Fd> current_;  // the folder that was used last
  std::string current_path_;
  std::optional<std::string> settled_parent_;  // the parent that was last found not to be, or be below, a pending file
  std::map<std::string, FileEntry, PathBefore> folders_;  // whose properties are set at the end
  std::set<std::string, PathBefore> undescribed_;         // of them, those that the layer reaches through only
  std::set<std::string, PathBefore> opaque_;              // folders that hide what lower layers have in them
  std::set<std::string, PathBefore> hidden_;              // what whiteouts took away, whatever came there since
  std::set<std::string, PathBefore> made_;                // by this layer, in a plain tree
  std::map<std::string, LinkHeader, PathBefore> headers_;
  std::size_t next_header_ = 0;
  UnpackResult result_;
  EntryWriter files_;
};

UnpackResult unpack(ByteSource& tar, std::string_view name, const Destination& to, const CancelToken& cancel) {
  TarReader reader(tar, std::string(name), to.options.whiteouts);
  return Unpacker(reader, name, to, cancel).run();
}

}  // namespace

UnpackResult unpack_tar(ByteSource& tar, std::string_view name, const fs::path& folder, const LowerLayers& lower,
                        const UnpackOptions& options, const CancelToken& cancel, ThreadPool* pool) {
  return unpack(tar, name, {folder, lower, options, pool}, cancel);
}

UnpackResult unpack_layer(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                          const FileIndex* index, const fs::path& folder, const LowerLayers& lower,
                          const UnpackOptions& options, const CancelToken& cancel) {
  const std::string name = fmt::format("layer blob {}", blob.digest.str());
  auto tar = open_layer_tar(store, pool, blob, index);
  const bool is_parallel = index != nullptr && index->frames_of(blob.digest) != nullptr;
  const Destination to{folder, lower, options, &pool};
  if (is_parallel) return unpack(*tar, name, to, cancel);
  ReadAheadSource ahead(std::move(tar));
  return unpack(ahead, name, to, cancel);
}

}  // namespace kiln
