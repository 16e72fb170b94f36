#include "builder/definitions/bake/context_paths.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln::bake {

bool is_remote_context(std::string_view context) {
  for (const std::string_view scheme : {"http://", "https://", "git://", "ssh://", "git@", "github.com/"}) {
    if (context.starts_with(scheme)) return true;
  }
  return false;
}

std::string context_below(const std::string& folder, const std::string& context) {
  const bool stays = context.empty() || context.starts_with('/') || context.starts_with(kCallerScheme) ||
                     context.starts_with("target:") || context.starts_with("docker-image:") ||
                     context.starts_with("oci-layout://") || is_remote_context(context);
  return stays ? context : clean_path(folder + "/" + context);
}

fs::path path_of(std::string_view text, const AttributeFolders& folders) {
  if (text.starts_with(kCallerScheme)) return path_of_caller(text, folders);
  if (!folders.are_fetched) return path_from(text, folders.base);
  return path_from(fs::path("/" + std::string(text)).lexically_normal().relative_path().native(), folders.base);
}

fs::path path_of_caller(std::string_view text, const AttributeFolders& folders) {
  fs::path path = path_from(text, folders.caller);
  if (folders.are_fetched && !is_inside(path, folders.caller)) {
    throw Error(Category::usage,
                fmt::format("'{}' is outside of the folder in which the command was started; a definition from a "
                            "repository names nothing there",
                            printable(text)));
  }
  return path;
}

}  // namespace kiln::bake
