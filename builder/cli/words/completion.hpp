#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "builder/cli/words/command_document.hpp"

namespace kiln::cli {

// What a word of the command line may become, for a shell that completes it.
struct Completion {
  struct Candidate {
    std::string word;
    std::string description;  // may be empty
  };
  std::vector<Candidate> candidates;
  bool takes_files = false;  // the shell's own names of files fit as well
};

// A value as the words before it tell it: the name of its positional or flag ("TARGET", "--profile"), and the command
// that it is given to with the words that it has already.
struct AskedValue {
  std::string name;
  std::string command;  // "build", "cache du"
  std::vector<std::string> words;
};

// The values that exist for a name; nullopt where they are not known, and files may be meant.
using ValuesOf = std::function<std::optional<std::vector<std::string>>(const AskedValue&)>;

// Completes the last of `words` (those behind the program's name; the last may be empty). Words that fit nothing have
// no candidates. Never throws but what `values_of` throws.
Completion complete_words(const DocumentedCommand& root, const std::vector<std::string>& words,
                          const ValuesOf& values_of);

}  // namespace kiln::cli
