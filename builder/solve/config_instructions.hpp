#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/ast.hpp"
#include "builder/dockerfile/variables.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

// What a stage has come to, apart from its files: the config that the instructions so far have made, and the
// variables in scope.
struct StageConfig {
  oci::ImageConfig image;
  dockerfile::StageScope scope;
  // A CMD of this stage survives a later ENTRYPOINT; one that came from the base does not.
  bool cmd_set_in_stage = false;

  // SHELL, or docker's default.
  std::vector<std::string> shell() const;
  // The words of a command line: the words of the exec form, or SHELL and the text.
  std::vector<std::string> argv(const dockerfile::CommandLine& command) const;
};

inline constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
inline constexpr char kHistoryComment[] = "buildkit.dockerfile.v0";

// Applies an instruction that changes the config alone (all but RUN, COPY, ADD and WORKDIR) as BuildKit does, history
// included. False, and nothing done, for the others. Errors are without place; the caller adds the excerpt.
bool apply_config_instruction(StageConfig& stage, const dockerfile::Instruction& instruction);

// Adds a history entry for an instruction that makes a layer; `created` is empty where the image's own time is to be
// taken.
void add_layer_history(StageConfig& stage, std::string created_by, std::string created);

// "RUN |2 A=1 B=2 /bin/sh -c make # buildkit": docker's history line for RUN, without proxy arguments. Values of ARGs
// are in it, as in docker's.
std::string run_history(const StageConfig& stage, const std::vector<std::string>& argv);

// An absolute path for WORKDIR's argument under the working directory so far, cleaned.
std::string absolute_workdir(std::string_view current, std::string_view path);

// What the config records for WORKDIR: as docker does, an absolute path as it is spelt, "/a/" too.
std::string workdir_as_written(std::string_view current, std::string_view path);

// A path of Windows as layers have it: "/a/b" for that with backslashes, and without a drive.
std::string with_slashes(std::string_view windows_path);

// The name or number (1 to 64) of a signal, or Error{usage}.
void check_stop_signal(std::string_view signal);

}  // namespace kiln
