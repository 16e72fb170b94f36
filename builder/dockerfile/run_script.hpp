#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/dockerfile/ast.hpp"

namespace kiln::dockerfile {

// What a RUN hands to its shell, heredocs worked in. One of two things happens: `text` goes to the stage's
// SHELL (or, in exec form, `words` are executed), or a heredoc that is the whole command and begins with "#!"
// is put into an executable file and executed.
struct RunScript {
  struct File {
    std::string name;
    std::string content;
  };
  CommandForm form = CommandForm::shell;
  std::vector<std::string> words;  // shell form: one word
  std::optional<File> file;        // to be mounted read-only and executed instead
};

// `instruction` holds a Run.
RunScript run_script(const Instruction& instruction);

}  // namespace kiln::dockerfile
