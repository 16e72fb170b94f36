#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"

namespace kiln::bake {

// In front of a path that is taken from where the command was started.
inline constexpr std::string_view kCallerScheme = "cwd://";

// Where the paths of definitions are taken from.
struct AttributeFolders {
  fs::path base;    // of contexts and Dockerfiles: the folder of definitions that were fetched, else `caller`
  fs::path caller;  // where the command was started: of "cwd://", secrets, SSH agents and what --set says
  // The definitions were fetched: what they name is inside of these two folders.
  bool are_fetched = false;
};

// Contexts that are URLs, as buildx tells them from folders.
bool is_remote_context(std::string_view context);

// What a file in `folder` says of a context, from where the command was started: a relative folder is below the file's.
// Everything else stays.
std::string context_below(const std::string& folder, const std::string& context);

// The context that `folder` is, of definitions that were taken from the git repository `url`, as buildx writes it: the
// URL with the folder behind that of the URL itself.
std::string context_in(const std::string& url, const std::string& folder);

// A path of a definition, from where it is taken from. Error{usage} for a fetched definition's "cwd://" that leads out
// of the caller's folder; another path of it is inside of what was fetched whatever it says.
fs::path path_of(std::string_view text, const AttributeFolders& folders);
// The same for what is the machine's: secrets and keys.
fs::path path_of_caller(std::string_view text, const AttributeFolders& folders);

}  // namespace kiln::bake
