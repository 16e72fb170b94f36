#pragma once

#include "base/fd.hpp"
#include "base/file.hpp"

namespace kiln {

// A new empty folder, removed with all it holds at the end. Move-only. While it lives the folder is flock'd, so that a
// collector of garbage can tell it from one whose process was killed.
class TempDir {
 public:
  // `parent` must exist; the name begins with `prefix`.
  explicit TempDir(const fs::path& parent = fs::temp_directory_path(), std::string_view prefix = "kiln-");
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const fs::path& path() const noexcept { return path_; }
  // Keeps the folder and returns its path.
  fs::path release() noexcept {
    lock_.reset();
    return std::exchange(path_, {});
  }

 private:
  void remove() noexcept;
  fs::path path_;
  Fd lock_;
};

}  // namespace kiln
