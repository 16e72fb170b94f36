#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"

namespace kiln {

// An image has at most this many layers, as docker has it. A stage that is only read may have more.
inline constexpr std::size_t kMaxLayers = 127;

struct OverlayMount {
  std::vector<fs::path> lowers;  // from the bottom; at least one, two without an upper
  fs::path upper;                // empty: read-only
  fs::path work;
  bool user_xattrs = false;
};

// The option text for mount(2), paths below `base` relative to it. Error{machine} where it exceeds the page that
// mount(2) takes, or the kernel's count of folders.
//
// redirect_dir, metacopy and index are off: the upper folder becomes a layer, and must mean the same without them. An
// upper is mounted volatile: what a command fsyncs is not written at once, since SnapshotStore makes sure of it in one
// go.
std::string overlay_options(const OverlayMount& mount, const fs::path& base);

// Mounts at `target` (absolute), with `base` as the working directory meanwhile; for a process with a single thread.
// Folders that are too many for one mount are mounted in two: the lowest ones as an overlay of their own, which is the
// lowest folder of the other. (Not any others: in a mounted overlay a whiteout hides what is below it no longer.)
// Error{machine} with the kernel's reason.
void mount_overlay(const OverlayMount& mount, const fs::path& base, const fs::path& target);

}  // namespace kiln
