#include <memory>

#include "builder/cli/commands/check_dockerfile.hpp"
#include "builder/cli/commands/commands.hpp"

namespace kiln::cli {

namespace {

struct Words : CheckWords {
  std::string context = ".";
  std::optional<std::string> file;
};

}  // namespace

void add_check_command(Arguments& root) {
  const auto words = std::make_shared<Words>();
  root.command("check", "Look for mistakes in a Dockerfile without building it.")
      .positional("CONTEXT", words->context, "folder with the files of the build (default: this one)")
      .option("-f,--file", words->file, "Dockerfile ('-': standard input; default CONTEXT/Dockerfile)")
      .option("--target", words->target, "stage that will be the image")
      .option("--build-arg", words->build_args, "NAME=VALUE of an ARG")
      .option("--platform", words->platforms, "platform to build for, such as linux/amd64")
      .option("--format", words->format, "text (default), json or sarif")
      .flag("--error-on-warning", words->error_on_warning, "exit with 1 where anything is found")
      .handler([words](const CancelToken&) {
        return check_dockerfile(read_dockerfile_input(words->file, words->context), *words);
      });
}

}  // namespace kiln::cli
