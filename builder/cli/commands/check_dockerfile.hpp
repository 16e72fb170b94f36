#pragma once

#include <string>
#include <vector>

#include "builder/cli/words/dockerfile_input.hpp"

namespace kiln::cli {

// What `kiln check` and `kiln build --check` were told.
struct CheckWords {
  std::string format = "text";  // or "json", "sarif"
  std::vector<std::string> build_args;
  std::vector<std::string> platforms;
  std::string target;
  bool error_on_warning = false;
};

// Prints what the rules find in a Dockerfile. The exit code: 2 where it does not build, 1 where it says `error=true` or
// every finding counts as an error, else 0.
int check_dockerfile(const DockerfileInput& input, const CheckWords& words);

}  // namespace kiln::cli
