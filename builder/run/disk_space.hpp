#pragma once

#include <cstdint>

#include "base/file.hpp"

namespace kiln {

// The disk space of a tree, hard links counted once; what vanishes or cannot be read meanwhile is passed over.
std::uint64_t disk_space(const fs::path& folder);

}  // namespace kiln
