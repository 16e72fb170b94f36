#include "builder/steps/link_resolution.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/path_steps.hpp"
#include "base/text.hpp"

namespace kiln {

std::string canonical_copy_path(std::string_view path) {
  PathSteps steps(path);
  while (auto name = steps.next()) steps.enter(std::move(*name));
  return join(steps.reached(), "/");
}

std::string resolve_links(std::string_view path, LastLink last,
                          const std::function<std::optional<FileEntry>(std::string_view)>& lookup) {
  PathSteps steps(path);
  while (auto name = steps.next()) {
    const std::string next = join_path(join(steps.reached(), "/"), *name);
    const auto entry = lookup(next);
    const bool is_kept = steps.at_last() && last == LastLink::keep;
    if (entry && entry->type == EntryType::symlink && !is_kept) {
      if (!steps.follow(entry->link)) {
        throw Error(Category::build, fmt::format("'/{}': more than {} symbolic links on the way", printable(path),
                                                 PathSteps::kMostLinks));
      }
      continue;
    }
    if (entry && !steps.at_last() && !entry->is_directory()) {
      throw Error(Category::build,
                  fmt::format("'/{}' leads through '/{}', which is not a directory", printable(path), printable(next)));
    }
    steps.enter(std::move(*name));
  }
  return join(steps.reached(), "/");
}

}  // namespace kiln
