#include "base/file_kind.hpp"

#include <system_error>

namespace kiln {

bool is_folder(const fs::path& path) noexcept {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_regular_file(const fs::path& path) noexcept {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

}  // namespace kiln
