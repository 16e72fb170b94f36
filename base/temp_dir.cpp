#include "base/temp_dir.hpp"

#include <stdlib.h>
#include <sys/file.h>

#include "base/error.hpp"

namespace kiln {

TempDir::TempDir(const fs::path& parent, std::string_view prefix) {
  std::string name = (parent / (std::string(prefix) + "XXXXXX")).native();
  if (::mkdtemp(name.data()) == nullptr) throw_errno("create temporary folder", name);
  path_ = name;
  lock_ = open_directory(path_);
  ::flock(lock_.get(), LOCK_EX | LOCK_NB);
}

TempDir::~TempDir() { remove(); }

void TempDir::remove() noexcept {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const Error&) {
    // A destructor cannot report an error; what is left is a temporary folder that the next prune takes.
  }
  path_.clear();
  lock_.reset();
}

}  // namespace kiln
