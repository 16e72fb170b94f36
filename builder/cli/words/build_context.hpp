#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/cli/words/dockerfile_input.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln::cli {

// Where the files of a build and its Dockerfile come from.
struct BuildContext {
  std::optional<fs::path> folder;  // nullopt: a build without files
  DockerfileInput dockerfile;
  std::optional<TempDir> unpacked;  // where it is no folder of the user's
  std::string digest = {};          // of what was fetched, as FetchedContext has it
};

// What a context that is fetched is fetched with.
struct ContextAccess {
  SourceSecrets secrets;
  bool keep_git_folder = false;  // BUILDKIT_CONTEXT_KEEP_GIT_DIR
};

// Error{usage} for a BUILDKIT_CONTEXT_KEEP_GIT_DIR that is neither true nor false.
ContextAccess context_access(const std::map<std::string, std::string>& build_args, std::vector<SecretSource> secrets);

// Finds the build context that the command line names, as docker does: a folder; a tar file, plain or compressed; "-"
// for a tar on standard input, or for a Dockerfile there and no files; a git repository,
// "https://host/repo.git#ref:folder"; the URL of a tar or of a Dockerfile. `file` is -f: a Dockerfile, beside the
// context or inside of it, or "-" for standard input. Call it while kiln has one thread; it leaves none behind.
// Error{usage} for what is none of these, and where no Dockerfile is found.
BuildContext open_build_context(const std::string& context, const std::optional<std::string>& file,
                                const ContextAccess& access, const CancelToken& cancel);

// The Dockerfile of a context that was fetched: `file` names one inside of it, and no link leads out.
DockerfileInput read_unpacked_dockerfile(const fs::path& folder, const std::optional<std::string>& file);

// A --build-context: its value as a plan takes it, and the folder that holds what was fetched for it.
struct NamedContext {
  std::string value;
  std::optional<TempDir> unpacked;
  std::string digest = {};  // of what was fetched, as FetchedContext has it
};

// A folder, "docker-image://REF", "oci-layout://FOLDER", a git repository, or the URL of a file, which is then called
// "context" as BuildKit has it. Call it while kiln has one thread. Error{usage} that names `name` for what is none of
// these.
enum class MayFetch { no, yes };
NamedContext open_named_context(const std::string& name, const std::string& value, MayFetch may_fetch,
                                const SourceSecrets& secrets, const CancelToken& cancel);

}  // namespace kiln::cli
