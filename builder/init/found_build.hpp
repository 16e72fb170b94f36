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

// Takes an argument over into a build, unless only a run knows its value, or it is empty (as one of the environment
// is) or looks like a secret: then its name goes to `left_out`.
void take_argument(const std::string& name, const std::string& value, FoundBuild& build,
                   std::vector<std::string>& left_out);
void note_arguments_left_out(const std::string& origin, const std::vector<std::string>& left_out,
                             std::vector<std::string>& notes);
// Once, however many combinations of a loop or matrix say it.
void add_note(std::string note, std::vector<std::string>& notes);

// What several readers of files come to.
struct FoundBuilds {
  std::vector<FoundBuild> builds;
  std::vector<fs::path> task_dockerfiles;  // of builds that make no image, such as a linter's
  std::vector<std::string> notes;          // what could not be taken over, and why
};

}  // namespace kiln::init
