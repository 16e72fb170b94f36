#pragma once

#include <string>
#include <string_view>

#include "base/fd.hpp"

namespace kiln {

// Opens a canonical path below a folder; "" is the folder itself. No symlink is followed, neither at the end nor in the
// middle, so nothing outside can be reached (openat2 where the kernel lets us, else component by component). O_CLOEXEC
// and O_NOFOLLOW are added. An invalid Fd with errno set where it cannot be: ENOENT for what is missing, ENOTDIR or
// ELOOP where something that is no folder stands in the way.
Fd open_beneath(const Fd& folder, std::string_view path, int flags);

// Opens a regular file below a folder to read it. Anything else is not opened, since opening a device may do something:
// EINVAL then.
Fd open_file_beneath(const Fd& folder, std::string_view path);

// "/proc/self/fd/N/NAME", for system calls that take no descriptor; l*xattr and the like do not follow NAME itself.
std::string magic_path(const Fd& folder, std::string_view name);

}  // namespace kiln
