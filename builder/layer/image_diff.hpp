#pragma once

#include <string>
#include <vector>

#include "builder/layer/merged_view.hpp"

namespace kiln {

// In what two entries of one path differ, times apart: "type", "content", "link", "mode", "owner", "device", "xattrs".
std::vector<std::string> what_differs(const FileEntry& a, const FileEntry& b);

// A path of the merged file systems of two images that is not the same in both.
struct FileDifference {
  enum class Kind { added, removed, changed } kind = Kind::changed;
  std::string path;                // canonical, without a leading slash
  std::uint64_t before_bytes = 0;  // of the file in the first image; 0 where there is none
  std::uint64_t after_bytes = 0;
  std::vector<std::string> what;  // of a changed one
};

// In order of paths. Times are no difference: they say when something was built, not what.
std::vector<FileDifference> differences(const MergedView& before, const MergedView& after);

}  // namespace kiln
