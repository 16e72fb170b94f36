#pragma once

#include <string>

namespace kiln {

// The kernel's name for the time since it was started. Error{machine} where /proc does not tell.
std::string boot_id();

}  // namespace kiln
