#include "builder/run/boot_id.hpp"

#include "base/file.hpp"
#include "base/text.hpp"

namespace kiln {

std::string boot_id() { return std::string(trim(read_file("/proc/sys/kernel/random/boot_id", 256))); }

}  // namespace kiln
