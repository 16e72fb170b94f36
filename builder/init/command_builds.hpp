#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "builder/init/found_build.hpp"
#include "builder/init/repository_walk.hpp"

namespace kiln::init {

// The value of a variable; nullopt where it is not known.
using KnownVariable = std::function<std::optional<std::string>(const std::string& name)>;

struct CommandText {
  std::string origin;  // for messages, without a line
  std::string text;
  int first_line = 1;
  std::vector<fs::path> folders;  // where its commands may be meant to be started, the likeliest first
};

// The builds of `docker build`, `docker buildx build` and `podman build` in a text of commands: a script, a Makefile,
// the `run` of a workflow's step. It is read by rules of thumb: variables that the text itself sets once, or that
// `known` knows, are put in; lists of `for` loops become a build each; anything else is unknown. A build whose
// Dockerfile is in none of the folders is none.
void add_command_builds(const CommandText& text, const KnownVariable& known, FoundBuilds& found);

// Those of all scripts and Makefiles of a repository.
FoundBuilds script_builds(const RepositoryFiles& files);

}  // namespace kiln::init
