#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiln {

// "1 image", "2 images".
std::string count_of(std::size_t count, std::string_view noun);

}  // namespace kiln
