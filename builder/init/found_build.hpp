#pragma once

#include <string>
#include <vector>

#include "builder/definitions/target_spec.hpp"

namespace kiln::init {

// What is in the place of a value that only a run of a workflow or script knows. No reference, path or name holds it.
inline constexpr char kUnknown = '?';

// One build of an image as a file of the repository says it.
struct FoundBuild {
  std::string origin;             // the file, and the line where it is known: "compose.yaml", "Makefile:12"
  std::string name;               // what the file calls it; may be empty
  TargetSpec target;              // paths are absolute; a Dockerfile need not be there
  std::vector<std::string> tags;  // of the image; parts may be unknown
};

// What several readers of files come to.
struct FoundBuilds {
  std::vector<FoundBuild> builds;
  std::vector<fs::path> task_dockerfiles;  // of builds that make no image, such as a linter's
  std::vector<std::string> notes;          // what could not be taken over, and why
};

}  // namespace kiln::init
