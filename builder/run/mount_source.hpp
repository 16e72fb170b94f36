#pragma once

#include <cstddef>

#include "builder/run/container_plan.hpp"

namespace kiln {

// Makes what mount `number` of the plan shows, at folders.mount(number); nothing for a tmpfs. For the worker's single
// thread in its own mount namespace. Returns whether it is a file rather than a folder. Error{build} for a source path
// that is not there.
bool prepare_mount_source(const ContainerPlan& plan, const WorkerFolders& folders, std::size_t number);

}  // namespace kiln
