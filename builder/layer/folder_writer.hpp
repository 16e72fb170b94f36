#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/file.hpp"
#include "builder/layer/file_entry.hpp"

namespace kiln {

// Everything below one folder, reached through descriptors: no symlink is ever followed, at the end of a path or in its
// middle, so nothing outside can be touched. Paths are canonical. For one thread at a time.
class AnchoredFolder {
 public:
  explicit AnchoredFolder(const fs::path& root);

  const fs::path& root() const noexcept { return root_; }
  // The path as messages show it.
  std::string shown(std::string_view path) const;

  // The folder's descriptor; an invalid Fd with errno set where it is missing (ENOENT) or something else stands in the way
  // (ENOTDIR, ELOOP).
  Fd open_folder(std::string_view path) const;
  // The same, kept open: a run of entries in one folder opens it once. -1 as above.
  int folder(std::string_view path);
  // After a folder was removed or replaced.
  void forget() noexcept;

  // "/proc/self/fd/N/NAME": for the calls that take no descriptor. NAME is not followed by l*() calls.
  static std::string magic_path(int folder, std::string_view name);

 private:
  fs::path root_;
  Fd root_fd_;
  std::string cached_path_;
  Fd cached_;
};

}  // namespace kiln
