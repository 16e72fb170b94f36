#pragma once

#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "base/file.hpp"

namespace kiln {

// Calls of the kernel about mounts that Debian 12's C library has no names for.

// What stands at a path for a process that has `root` for "/": links are followed inside of it (openat2(2)). For use
// as a place (O_PATH). No descriptor, and errno, where there is nothing or the way to it cannot be gone.
Fd open_in_root(const Fd& root, const std::string& path);

// A copy of what a path shows, with the mounts below it, that hangs nowhere yet (open_tree(2)). No descriptor, and
// errno, where it cannot be had.
Fd copy_mount(const fs::path& path);

// Adds flags (MOUNT_ATTR_...) to a mount, with the mounts below it (mount_setattr(2)). Error{machine}.
void add_mount_flags(const fs::path& path, std::uint64_t flags);
void add_mount_flags(const Fd& mount, std::uint64_t flags);

}  // namespace kiln
