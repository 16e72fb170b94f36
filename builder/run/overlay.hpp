#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"

namespace kiln {

// At most this many layers, as docker has it.
inline constexpr std::size_t kMaxLayers = 127;

struct OverlayMount {
  std::vector<fs::path> lowers;  // from the bottom; at least one, two without an upper
  fs::path upper;                // empty: read-only
  fs::path work;
  bool user_xattrs = false;
};

// The option text for mount(2), paths below `base` relative to it. Error{machine} where it exceeds the page that
// mount(2) takes, Error{build} above kMaxLayers (one more is allowed, for mount points).
//
// redirect_dir, metacopy and index are off: the upper folder becomes a layer, and must mean the same without them. An
// upper is mounted volatile: what a command fsyncs is not written at once, since SnapshotStore makes sure of it in one
// go.
std::string overlay_options(const OverlayMount& mount, const fs::path& base);

// Mounts at `target` (absolute), with `base` as the working directory meanwhile; for a process with a single thread.
// Error{machine} with the kernel's reason.
void mount_overlay(const OverlayMount& mount, const fs::path& base, const fs::path& target);

}  // namespace kiln
