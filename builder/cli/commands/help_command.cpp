#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/commands/help_pages.hpp"

namespace kiln::cli {

std::vector<std::string> help_topics() {
  std::vector<std::string> names;
  for (const auto& page : embedded::help_pages()) names.emplace_back(page.first);
  return names;
}

namespace {

std::string_view page_of(const std::string& topic) {
  const auto pages = embedded::help_pages();
  const auto found = std::find_if(pages.begin(), pages.end(), [&](const auto& page) { return page.first == topic; });
  return found == pages.end() ? std::string_view() : found->second;
}

// A command's help, and the page of its name where there is one: what it takes, then what that does.
int print_help(const Arguments& root, const std::vector<std::string>& words) {
  const auto help = root.help_of(words);
  const std::string_view page = words.size() == 1 ? page_of(words.front()) : std::string_view();
  if (!help && page.empty()) {
    std::vector<std::string> known = help_topics();
    for (const DocumentedCommand& command : root.document().commands) known.push_back(command.name);
    const std::string asked = join(words, " ");
    throw Error(Category::usage,
                fmt::format("there is no command and no topic '{}'{}", printable(asked), suggestion(asked, known)));
  }
  fmt::print("{}{}{}", help.value_or(""), help && !page.empty() ? "\n" : "", page);
  if (words.empty())
    fmt::print("\n'kiln help COMMAND' and 'kiln help TOPIC' say more. Topics: {}\n", join(help_topics(), ", "));
  return 0;
}

}  // namespace

void add_help_command(Arguments& root) {
  const auto words = std::make_shared<std::vector<std::string>>();
  root.command("help", "Print the help of a command, or the page of a topic.")
      .positional("TOPIC", *words, "a command, such as 'cache du', or a topic (default: lists both)")
      .handler([&root, words](const CancelToken&) { return print_help(root, *words); });
}

}  // namespace kiln::cli
