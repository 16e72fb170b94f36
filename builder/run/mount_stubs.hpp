#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"

namespace kiln {

// Mount points that an image does not have must exist while its container runs, and must leave no trace in the layer
// that the container writes. They are therefore made in a folder of their own that is the uppermost *lower* folder: the
// upper never sees them, so nothing has to be taken out of it again. (Making them in the upper and removing them
// afterwards would leave copies of their parents behind, with changed times.) Parents are repeated there with the
// owner, mode, times and access lists they have below, since overlayfs shows the uppermost ones.
struct MountPoint {
  std::string target;  // absolute; symlinks of the image are followed inside it, as the runtime does
  bool is_file = false;
  unsigned folder_mode = 0755;  // of a folder that the image does not have; a tmpfs mounted on it takes it over
  // Of the runtime itself. Its setup of /dev opens names below ROOTFS/dev with the host's root in force, so an image
  // whose /dev is a link would have it write to the host: such a target must be where it says.
  bool is_standard = false;
};

// `root` is the image without the stubs (may be an empty folder), `stubs` an empty folder. A target inside an earlier
// one is left to the runtime, which makes it in that mount. Error{build} for a target that cannot be: a loop of links,
// a way through a file, a file where a folder is wanted, a standard one that is a link.
void make_mount_stubs(const fs::path& root, const fs::path& stubs, const std::vector<MountPoint>& points);

// Error{build} where a mount shows a file on a folder, or a folder on what is none.
void check_kind_of_target(const std::string& target, bool is_folder, bool shows_file);

// A runtime reads /etc/passwd and /etc/group of the image before it starts the command, and would wait for ever at a
// FIFO, or read a device. Error{build} where one of them is neither a file nor a folder, or leads to what the runtime
// mounts.
void check_user_files(const fs::path& root);

// A runtime enters the folder a command begins in after it has made /proc, where names lead to what it has open
// itself (CVE-2024-21626). Error{build} where `folder` leads there in the image: /proc, and /dev/fd, which is a link to
// it. What a mount shows is not looked at; runtimes of today check where they have come to.
void check_working_folder(const fs::path& root, const std::string& folder);

}  // namespace kiln
