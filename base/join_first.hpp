#pragma once

#include <string>
#include <vector>

namespace kiln {

// "a, b, c" for a line that people read, of more than `most` items "a, b and 7 more".
std::string join_first(const std::vector<std::string>& items, std::size_t most);

}  // namespace kiln
