#include "builder/run/upper_parts.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/error.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/entry_writer.hpp"
#include "builder/run/runner.hpp"

namespace kiln {

namespace {

Fd open_folder(const Fd& root, std::string_view path) {
  Fd folder = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
  if (!folder) throw_errno("open folder", std::string(path));
  return folder;
}

}  // namespace

void move_entries(const fs::path& from, const fs::path& to, const std::vector<FileEntry>& entries, OverlayXattrs xattrs,
                  const CancelToken& cancel) {
  const Fd from_root = open_directory(from);
  const Fd to_root = open_directory(to);
  const EntryWriter writer({to_root, to, current_privileges() != Privileges::none}, nullptr, {}, cancel);
  std::string open_parent;  // the folder that these two are of
  Fd from_parent = open_folder(from_root, "");
  Fd to_parent = open_folder(to_root, "");
  for (const FileEntry& entry : entries) {
    if (const std::string_view parent = parent_path(entry.path);
        parent != open_parent && entry.type != EntryType::opaque) {
      cancel.check();
      open_parent = parent;
      from_parent = open_folder(from_root, parent);
      to_parent = open_folder(to_root, parent);
    }
    const std::string name(base_name(entry.path));
    if (entry.type == EntryType::directory) {
      if (::mkdirat(to_parent.get(), name.c_str(), 0700) != 0) throw_errno("create folder", entry.path);
    } else if (entry.type == EntryType::opaque) {
      const char* attribute = name_of_opaque_xattr(xattrs);
      if (::fsetxattr(open_folder(to_root, entry.path).get(), attribute, "y", 1, 0) != 0)
        throw_errno("mark as opaque", entry.path);
    } else if (::renameat(from_parent.get(), name.c_str(), to_parent.get(), name.c_str()) != 0) {
      throw_errno("move", entry.path);
    }
  }
  // What comes into a folder changes its time; what it may be written by is said last, too.
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->is_directory()) writer.set_properties(open_folder(to_root, entry->path), *entry);
  }
  struct stat status;
  if (::fstat(from_root.get(), &status) != 0) throw_errno("stat", from.native());
  FileEntry root;
  root.type = EntryType::directory;
  root.mode = status.st_mode & 07777;
  root.uid = status.st_uid;
  root.gid = status.st_gid;
  root.mtime = status.st_mtim.tv_sec;
  writer.set_properties(to_root, root);
}

}  // namespace kiln
