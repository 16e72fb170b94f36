#pragma once

#include <ctime>
#include <string>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/file_index.hpp"

namespace kiln {

// In what an entry of an unpacked layer differs from its index, as far as stat tells it: it is not there, or of another
// type, mode, size or link; "" for nothing. Contents are not read. `folder` is the layer's, opened. What an
// unprivileged user cannot make (devices) may be absent.
std::string entry_difference(const Fd& folder, const FileEntry& entry);

// The first difference in a whole unpacked layer, "" for none. A file or folder that was written after `made`, when the
// layer was whole, and does not have the time that the index says, is one too: so contents that were changed in place,
// and names that were added, are noticed without being read.
std::string snapshot_difference(const fs::path& folder, const FileIndex& index, const std::timespec& made,
                                ThreadPool& pool, const CancelToken& cancel);

}  // namespace kiln
