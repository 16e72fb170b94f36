#pragma once

#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/unpack.hpp"

namespace kiln {

// Moves entries of an upper folder that is unmounted to another one on the same file system, by renaming: what one
// container wrote becomes the snapshots of several layers without a copy. Folders are made anew, as their entries say;
// the folder itself gets owner, mode and time of the one that the entries are taken from.
//
// `entries` are in entry order, with the folders above each. Error{machine} for what the file system refuses; then both
// folders are good for nothing.
void move_entries(const fs::path& from, const fs::path& to, const std::vector<FileEntry>& entries, OverlayXattrs xattrs,
                  const CancelToken& cancel);

}  // namespace kiln
