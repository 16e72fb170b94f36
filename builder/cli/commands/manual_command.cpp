#include <fmt/format.h>

#include <memory>

#include "base/atomic_file.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/manual_page.hpp"
#include "builder/cli/version.hpp"

namespace kiln::cli {

namespace {

// Returns how many pages were written: the command's and those below it.
int write_pages(const fs::path& folder, const DocumentedCommand& command, const std::vector<std::string>& parents) {
  std::vector<std::string> names = parents;
  names.push_back(command.name);
  write_file_atomically(folder / (join(names, "-") + ".1"), manual_page(command, parents, kVersion));
  int written = 1;
  for (const DocumentedCommand& below : command.commands) {
    if (!below.group.empty()) written += write_pages(folder, below, names);
  }
  return written;
}

}  // namespace

void add_manual_command(Arguments& root) {
  const auto folder = std::make_shared<std::string>();
  root.command("manual", "Write the manual pages of all commands, for man(1), into a folder.")
      .required_positional("FOLDER", *folder, "it is made where it is not there")
      .handler([&root, folder](const CancelToken&) {
        make_directories(*folder);
        fmt::print("{} pages in '{}'\n", write_pages(*folder, root.document(), {}), *folder);
        return 0;
      });
}

}  // namespace kiln::cli
