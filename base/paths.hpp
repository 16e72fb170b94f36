#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"

namespace kiln {

// Go's filepath.Clean for '/' paths: "a//b/../c/." -> "a/c", "" -> ".".
std::string clean_path(std::string_view path);

// Whether a path is a folder or below it, by their names: both absolute, without "." and "..".
bool is_inside(const fs::path& path, const fs::path& folder);
// Whether what is there leads out of a folder once every link on the way is followed. False where nothing is there.
bool leads_out(const fs::path& path, const fs::path& folder);

// /dev/fd/N and its like, as a shell writes for `<(program)`: it is open already, so that opening it does not wait.
bool is_open_descriptor(const fs::path& path);

}  // namespace kiln
