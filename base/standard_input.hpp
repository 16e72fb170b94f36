#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln {

// All of standard input; Error{usage} that names `what` ("the Dockerfile") where it is more than `max_bytes`.
std::string read_standard_input(std::uint64_t max_bytes, std::string_view what);

}  // namespace kiln
