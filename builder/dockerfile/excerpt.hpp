#pragma once

#include <string>
#include <string_view>

#include "builder/dockerfile/ast.hpp"

namespace kiln::dockerfile {

// "Dockerfile:12" and the lines around the marked ones with their numbers, the marked ones behind ">>>", as
// an Error's detail. Control characters are made visible. Lines out of range are clipped.
std::string excerpt(std::string_view text, std::string_view file_name, LineRange lines);

}  // namespace kiln::dockerfile
