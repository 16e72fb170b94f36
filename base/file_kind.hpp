#pragma once

#include "base/file.hpp"

namespace kiln {

// What a word of a command line names, which may be a URL as well: false where there is nothing of that name, and where
// no file system takes such a name. Links are followed.
bool is_folder(const fs::path& path) noexcept;
bool is_regular_file(const fs::path& path) noexcept;

}  // namespace kiln
