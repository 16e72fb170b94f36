#pragma once

#include <optional>
#include <string_view>

namespace kiln {

// How ecosystems that wrote it down compare two versions: less than 0, 0, more than 0.

// Debian policy 5.6.12: epoch, upstream version, revision; "~" sorts before the end, letters before other characters.
// Takes any text.
int compare_debian_versions(std::string_view a, std::string_view b);

// PEP 440, "Version scheme": spellings that it normalises ("1.0-RC.1", "v1.0") count as what they mean, zeros at the
// end of a release as nothing. A local version ("+cu121") counts last. nullopt where one of them is no such version.
std::optional<int> compare_python_versions(std::string_view a, std::string_view b);

// Semantic Versioning 2.0.0, section 11, as npm and Go have it: a "v" in front and what follows "+" count for nothing,
// parts that are missing are 0. nullopt where one of them is no such version.
std::optional<int> compare_semantic_versions(std::string_view a, std::string_view b);

}  // namespace kiln
