#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "builder/layer/file_entry.hpp"

namespace kiln {

enum class LastLink { keep, follow };

// The path a process with "/" at the tree's root would reach: symlinks followed, ".." stopping at the root, in a tree
// that `lookup` describes entry by entry. Components that do not exist are kept as they are spelt. Error{build} for a
// loop (more than 40 links) and for a way through something that is no folder.
std::string resolve_links(std::string_view path, LastLink last,
                          const std::function<std::optional<FileEntry>(std::string_view)>& lookup);

// "a//b/../c/" -> "a/c", "/" -> "": a path from a Dockerfile as a canonical path; ".." stops at the root.
std::string canonical_copy_path(std::string_view path);

}  // namespace kiln
