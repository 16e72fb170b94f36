#include <cstdio>
#include <exception>

#include "builder/cli/arguments.hpp"
#include "builder/cli/commands.hpp"
#include "builder/cli/exit_code.hpp"

int main(int argc, char** argv) {
  const kiln::CancelToken cancel;
  kiln::cli::install_signal_handlers(cancel);
  try {
    kiln::cli::Arguments arguments("kiln", "Builds fleets of container images without a daemon.");
    kiln::cli::add_commands(arguments);
    return arguments.parse(argc, argv, cancel);
  } catch (const kiln::Error& error) {
    return kiln::cli::report_error(error, cancel);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: internal: %s\n", error.what());
    return 4;
  }
}
