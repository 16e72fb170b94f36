#include "builder/dockerfile/run_script.hpp"

#include "builder/dockerfile/syntax.hpp"

namespace kiln::dockerfile {

RunScript run_script(const Instruction& instruction) {
  const CommandLine& command = std::get<Run>(instruction.body).command;
  RunScript out;
  out.form = command.form;
  out.words = command.words;
  if (out.form == CommandForm::shell && out.words.empty()) out.words.emplace_back();  // a shell that does nothing
  if (instruction.heredocs.empty() || command.form == CommandForm::exec) return out;

  std::string& text = out.words.at(0);
  const Heredoc& first = instruction.heredocs[0];
  if (heredoc_of_word(text)) {
    // The heredoc is the whole command: its lines are the script, and no shell has to know heredocs.
    std::string script = first.text();
    if (script.substr(0, 2) == "#!") {
      out.file = RunScript::File{first.name, std::move(script)};
      out.words.clear();
    } else {
      text = std::move(script);
    }
    return out;
  }
  for (const Heredoc& heredoc : instruction.heredocs) text += "\n" + heredoc.content + heredoc.name;
  return out;
}

}  // namespace kiln::dockerfile
