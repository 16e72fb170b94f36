#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace kiln::embedded {

// The pages of docs/ as Markdown, sorted by their names: {"cache", "# The shared cache\n..."}.
std::span<const std::pair<std::string_view, std::string_view>> help_pages();

}  // namespace kiln::embedded
