#pragma once

#include <string>

namespace kiln {

// Seconds in five characters, as BuildKit has them: "0.512", "12.34", "123.4".
std::string elapsed_text(double seconds);

}  // namespace kiln
