#include "builder/cli/words/command_document.hpp"

#include <algorithm>

namespace kiln::cli {

const DocumentedCommand* find_command(const DocumentedCommand& parent, std::string_view name) {
  const auto found = std::find_if(parent.commands.begin(), parent.commands.end(),
                                  [&](const DocumentedCommand& command) { return command.name == name; });
  return found == parent.commands.end() ? nullptr : &*found;
}

const DocumentedWord* find_flag(const DocumentedCommand& command, std::string_view name) {
  const auto found = std::find_if(command.flags.begin(), command.flags.end(), [&](const DocumentedWord& flag) {
    return std::find(flag.names.begin(), flag.names.end(), name) != flag.names.end();
  });
  return found == command.flags.end() ? nullptr : &*found;
}

}  // namespace kiln::cli
