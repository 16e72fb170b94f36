#include "builder/dockerfile/shell_commands.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("a script falls into its commands") {
  const auto commands = shell_commands("set -ex; A=1 /usr/bin/apt-get update && echo 'a;b' | tee x # no; yes\n(cd /x)");
  REQUIRE(commands.size() == 5);
  CHECK(commands[0].words == Words{"set", "-ex"});
  CHECK(commands[1].words == Words{"apt-get", "update"});
  CHECK(commands[2].words == Words{"echo", "a;b"});
  CHECK(commands[3].words == Words{"tee", "x"});
  CHECK(commands[4].words == Words{"cd", "/x"});
}

TEST_CASE("options and operands") {
  const auto command = shell_commands("rm -rf --one-file-system /a \"/b c\"").at(0);
  CHECK(command.has_option('r', "--recursive"));
  CHECK_FALSE(command.has_option('R', "--recursive"));
  CHECK(command.operands() == Words{"/a", "/b c"});
}

TEST_CASE("anything is a script") {
  CHECK(shell_commands("").empty());
  CHECK(shell_commands("&& ;; ||| \n\n").empty());
  CHECK(shell_commands("'open").at(0).words == Words{"open"});
  CHECK(shell_commands("\\").empty() == false);
}

}  // namespace
}  // namespace kiln::dockerfile
