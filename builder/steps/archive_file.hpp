#pragma once

#include <functional>
#include <string>

#include "builder/layer/tar_encoder.hpp"

namespace kiln {

// Lets `write` fill a tar: it goes to `stdout_fd` where the destination is "-", else to what it names as
// OutputFile has it, with the folders above it. Error{usage} for a destination that is a folder.
void write_archive_to(const std::string& destination, int stdout_fd, const std::function<void(TarEncoder&)>& write);

}  // namespace kiln
