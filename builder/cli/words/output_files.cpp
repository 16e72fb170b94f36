#include "builder/cli/words/output_files.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/file_kind.hpp"
#include "base/text.hpp"

namespace kiln::cli {

void refuse_unwritable(const std::optional<std::string>& file, std::string_view flag) {
  if (!file) return;
  const fs::path path = *file;
  if (is_folder(path))
    throw Error(Category::usage, fmt::format("{} '{}' is a folder; name a file", flag, printable(*file)));
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!is_folder(folder)) {
    throw Error(Category::usage,
                fmt::format("{} '{}': there is no folder '{}'", flag, printable(*file), printable(folder.native())));
  }
}

}  // namespace kiln::cli
