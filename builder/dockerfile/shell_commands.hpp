#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// One simple command of a shell script: its words with quotes removed, without leading assignments, `sudo`,
// `exec`, `then` and the like. words[0] is the program's name without its folders.
struct ShellCommand {
  std::vector<std::string> words;

  bool is(std::string_view program) const { return !words.empty() && words[0] == program; }
  bool has(std::string_view word) const;
  // Whether a short option letter or a long option is among the words: has_option('r', "--recursive").
  bool has_option(char letter, std::string_view long_form) const;
  // Words that are no options, the program left out.
  std::vector<std::string> operands() const;
};

// Cuts a script at ; & | && || and line ends outside of quotes; comments are dropped. For rules of thumb
// only: it knows no control structures, functions or heredocs, and takes what it does not understand for
// words.
std::vector<ShellCommand> shell_commands(std::string_view script);

}  // namespace kiln::dockerfile
