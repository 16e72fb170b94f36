#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::cli {

// The words of the program as plain values: --help, the manual pages and the shells' completions say the same, since
// all are made of what a command declares to Arguments.

struct DocumentedWord {
  std::vector<std::string> names;  // a flag's, the long ones first: "--file", "-f"; a positional's: "CONTEXT"
  std::string help;
  bool takes_value = false;
  bool is_required = false;
  bool is_list = false;  // may be given several times
};

struct DocumentedCommand {
  std::string name;
  std::string description;  // a sentence
  std::string group;        // the heading that it stands below in its parent's help
  std::vector<DocumentedWord> positionals;
  std::vector<DocumentedWord> flags;  // without those that are only refused
  std::vector<DocumentedCommand> commands;
};

// The command of this name below `parent`, or nullptr.
const DocumentedCommand* find_command(const DocumentedCommand& parent, std::string_view name);
// The flag of this name ("--file", "-f"), or nullptr.
const DocumentedWord* find_flag(const DocumentedCommand& command, std::string_view name);

}  // namespace kiln::cli
