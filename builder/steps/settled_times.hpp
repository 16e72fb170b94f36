#pragma once

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "builder/layer/tree_scanner.hpp"

namespace kiln {

// Sets the time of everything in a scanned upper folder to `to`, on disk and in the tree, so that what was installed at
// another time is the same to the byte. Python's bytecode that goes by the time of its source has that in its header:
// where it fitted a source of the same tree, it fits it afterwards. A source of a lower layer keeps its time, and so
// does its bytecode.
void settle_times(const fs::path& upper, ScannedTree& tree, UnixSeconds to, const CancelToken& cancel);

}  // namespace kiln
