#pragma once

#include <vector>

#include "base/file.hpp"

namespace kiln {

// Makes every mount that this process's mount namespace has read-only, but for these folders and what is mounted below
// them (those that are not there are passed over). A worker does so before it mounts anything of its own and starts a
// runtime: a runtime that an image leads out of its root file system then finds nothing on the host to write to.
//
// For the owner of a mount namespace whose mounts are private. Error{machine} with the kernel's reason.
void protect_host_mounts(const std::vector<fs::path>& writable);

}  // namespace kiln
