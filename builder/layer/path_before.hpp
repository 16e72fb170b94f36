#pragma once

#include <string>

#include "builder/layer/file_entry.hpp"

namespace kiln {

// Orders sets and maps of paths as entries are, so that what lies below a folder follows it.
struct PathBefore {
  bool operator()(const std::string& a, const std::string& b) const noexcept { return compare_paths(a, b) < 0; }
};

}  // namespace kiln
