#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace kiln::init {

struct WalkLimits {
  std::size_t depth = 16;
  std::size_t entries = 200'000;
  std::size_t files = 2'000;  // that are kept
};

// The files of a repository that say how images are built: paths relative to `root`, those in upper folders first.
struct RepositoryFiles {
  fs::path root;  // absolute
  std::vector<std::string> dockerfiles;
  std::vector<std::string> bake_files;
  std::vector<std::string> compose_files;
  std::vector<std::string> workflows;
  std::vector<std::string> scripts;
  std::vector<std::string> notes;  // what was not looked at, and why
};

// Looks at folders level by level. Folders that hold other people's code or what was built (node_modules, .venv, hidden
// ones) are passed over by name, links to folders are not followed. Error{usage} where `root` is no folder.
RepositoryFiles walk_repository(const fs::path& root, const WalkLimits& limits = {});

// Whether people call a Dockerfile so: "Dockerfile", "Dockerfile.gpu", "api.Dockerfile", "Containerfile". A template of
// one and an ignore file are none.
bool is_dockerfile_name(const std::string& name);

}  // namespace kiln::init
