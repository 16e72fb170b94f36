#pragma once

#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/cli/dockerfile_input.hpp"

namespace kiln::cli {

// Where the files of a build and its Dockerfile come from.
struct BuildContext {
  std::optional<fs::path> folder;   // nullopt: a build without files
  DockerfileInput dockerfile;
  std::optional<TempDir> unpacked;  // where it is no folder of the user's
};

// Finds the build context that the command line names, as docker does: a folder; a tar file, plain or compressed; "-" for a
// tar on standard input, or for a Dockerfile there and no files; a git repository, "https://host/repo.git#ref:folder"; the URL of a tar
// or of a Dockerfile.
// `file` is -f: a Dockerfile, beside the context or inside of it, or "-" for standard input.
// Call it while kiln has one thread; it leaves none behind. Error{usage} for what is none of these, and where no Dockerfile is found.
BuildContext open_build_context(const std::string& context, const std::optional<std::string>& file, const CancelToken& cancel);

}  // namespace kiln::cli
