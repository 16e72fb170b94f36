#include <fmt/format.h>

#include <map>

#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"
#include "builder/dockerfile/reads.hpp"

// Rules about what becomes of the image's config, and about sources of COPY.
namespace kiln::dockerfile {
namespace {

// What a stage hands on to the stages that are built on it.
struct StageState {
  bool has_shell = false;
};

void json_form(CheckContext& context, const Instruction& instruction, const StageState& state) {
  const CommandLine* command = nullptr;
  if (const auto* cmd = std::get_if<Cmd>(&instruction.body)) command = &cmd->command;
  if (const auto* entrypoint = std::get_if<Entrypoint>(&instruction.body)) command = &entrypoint->command;
  // An author who chose a shell wants it to run.
  if (!command || command->form == CommandForm::exec || state.has_shell) return;
  context.report("JSONArgsRecommended",
                 fmt::format("JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
                             instruction.keyword_as_written),
                 instruction);
}

bool is_ignored(const IgnoreMatcher& ignore, const std::string& path) {
  if (path == ".") {
    // The root itself is never left out; what counts is whether everything in it is.
    const std::string anything = "a-name-that-no-pattern-means";
    return ignore.ignores(anything) && !ignore.may_reinclude_below("");
  }
  return ignore.ignores(path) && !ignore.may_reinclude_below(path);
}

void ignored_sources(CheckContext& context, const Instruction& instruction) {
  if (!transfer_of(instruction) || context.options().ignore.empty()) return;
  const bool is_copy = std::holds_alternative<Copy>(instruction.body);
  std::vector<std::string> paths;
  for (const Read& read : reads_of(instruction)) {
    if (read.is_of_context()) paths = read.paths;
  }
  for (const std::string& written : paths) {
    const bool remote = written.find("://") != std::string::npos || written.substr(0, 4) == "git@";
    if (remote || written.find('$') != std::string::npos) continue;
    std::string path = clean_path(written);
    if (path.size() > 1 && path[0] == '/') path.erase(0, 1);
    if (path == "/") path = ".";
    if (!is_ignored(context.options().ignore, path)) continue;
    context.report(
        "CopyIgnoredFile",
        fmt::format("Attempting to {} file \"{}\" that is excluded by .dockerignore", is_copy ? "Copy" : "Add", path),
        instruction);
  }
}

}  // namespace

void check_config(CheckContext& context) {
  std::map<const StageView*, StageState> ended;
  for (const StageView& view : context.stages()) {
    StageState state = view.parent ? ended[view.parent] : StageState{};
    for (const Instruction& instruction : view.stage->instructions) {
      json_form(context, instruction, state);
      ignored_sources(context, instruction);
      state.has_shell = state.has_shell || std::holds_alternative<Shell>(instruction.body);
    }
    ended[&view] = state;
  }
}

}  // namespace kiln::dockerfile
