#pragma once

#include <string_view>

// The scripts beside this header, put into the program by cmake/embed_text.cmake.
namespace kiln::embedded {

std::string_view bash_completion();
std::string_view fish_completion();
std::string_view zsh_completion();

}  // namespace kiln::embedded
