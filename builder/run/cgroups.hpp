#pragma once

#include <string>

namespace kiln {

inline constexpr char kCgroupMounts[] = "/sys/fs/cgroup";

// The cgroups of kiln's containers: /kiln/ID in every hierarchy that is mounted below /sys/fs/cgroup, whether version
// 1, version 2 or both (hybrid). The runtime makes and removes them; after a kill somebody else must.

// Mounts a hierarchy for this process's mount namespace where the machine, a container for one, shows none: runtimes
// ask for a mount even where they are to make no cgroup. Where the kernel refuses, the runtime says what it lacks.
void mount_missing_cgroups();

// Whether folders may be made there: false in most containers.
bool can_make_cgroups();
// Removes one container's. They must be empty of processes.
void remove_cgroups(const std::string& id);
// Removes what earlier kilns left: empty ones that are older than a minute, so that one in the making is never taken.
void remove_stale_cgroups();
// "version 2", "version 1", "hybrid", "none": what is mounted.
std::string cgroup_version();

}  // namespace kiln
