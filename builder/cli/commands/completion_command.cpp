#include <fmt/format.h>

#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/completion/scripts.hpp"
#include "builder/cli/words/completion.hpp"
#include "builder/cli/words/known_values.hpp"

namespace kiln::cli {

namespace {

int print_script(const std::string& shell) {
  if (shell == "bash") {
    fmt::print("{}", embedded::bash_completion());
  } else if (shell == "zsh") {
    fmt::print("{}", embedded::zsh_completion());
  } else if (shell == "fish") {
    fmt::print("{}", embedded::fish_completion());
  } else {
    throw Error(Category::usage, fmt::format("there is no completion for '{}'{}", printable(shell),
                                             suggestion(shell, {"bash", "fish", "zsh"})));
  }
  return 0;
}

// A line for each candidate: the word and, behind a tab, its description. ":files" where names of files fit as well.
int print_candidates(const Arguments& root, const std::vector<std::string>& words) {
  const Completion completion = complete_words(root.document(), words, known_values);
  for (const Completion::Candidate& candidate : completion.candidates) {
    fmt::print("{}\t{}\n", printable(candidate.word), printable(candidate.description));
  }
  if (completion.takes_files) fmt::print(":files\n");
  return 0;
}

}  // namespace

void add_completion_command(Arguments& root) {
  const auto shell = std::make_shared<std::string>();
  root.command("completion", "Print what makes a shell complete kiln's words: source <(kiln completion bash).")
      .required_positional("SHELL", *shell, "bash, fish or zsh")
      .handler([shell](const CancelToken&) { return print_script(*shell); });
  const auto words = std::make_shared<std::vector<std::string>>();
  root.hidden_command("complete", "Print what the last of the words may become.")
      .positional("WORD", *words, "the words behind 'kiln', behind a '--'")
      .handler([&root, words](const CancelToken&) { return print_candidates(root, *words); });
}

}  // namespace kiln::cli
