#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln::embedded {

// The pages of docs/ as Markdown, sorted by their names: {"cache", "# The shared cache\n..."}.
std::span<const std::pair<std::string_view, std::string_view>> help_pages();

}  // namespace kiln::embedded

namespace kiln::cli {

// The names of these pages.
std::vector<std::string> help_topics();

}  // namespace kiln::cli
