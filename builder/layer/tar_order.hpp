#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "builder/layer/file_entry.hpp"

namespace kiln {

// An entry and its place in the tar it came from.
struct TarEntry {
  FileEntry entry;
  std::size_t number = 0;
};

// Entries in tar order -> in entry order, each path once, meaning what unpacking them one after the other would leave
// behind: a later entry replaces an earlier one, and with it what was below; a whiteout speaks of lower layers alone,
// so that together with a folder of its name it makes that folder opaque; marks below a mark say nothing new and are
// dropped. Hard links to a file that was replaced since become files by themselves.
//
// Error{build} naming `name` for entries that no unpacking can make: something below a file.
std::vector<TarEntry> settle_tar_entries(std::vector<FileEntry> entries, std::string_view name);

}  // namespace kiln
