#pragma once

#include <optional>
#include <string>

#include "base/file.hpp"
#include "builder/dockerfile/text_file.hpp"

namespace kiln::cli {

// A Dockerfile as the words of a command name it.
struct DockerfileInput {
  std::optional<fs::path> path;  // nullopt: standard input
  std::string text;
  std::string name;                        // as people know it
  std::optional<std::string> ignore_text;  // of NAME.dockerignore beside it, else of the context's .dockerignore
  std::string ignore_name;                 // that file
};

// Whose files a context holds: its user's own, or a stranger's, in which no link may lead out of it.
enum class ContextOrigin { local, fetched };

// `file` is -f: a file, one inside the context, or "-"; nullopt: the context's Dockerfile. Error{usage} where the
// context is no folder or there is no such file, with the nearest one.
DockerfileInput read_dockerfile_input(const std::optional<std::string>& file, const fs::path& context,
                                      ContextOrigin origin = ContextOrigin::local);

// The ignore file alone; without -f there need not be a Dockerfile. Error{usage} where the context is no folder.
std::optional<dockerfile::TextFile> find_ignore_file(const std::optional<std::string>& file, const fs::path& context);

}  // namespace kiln::cli
