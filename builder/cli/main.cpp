#include <cstdio>
#include <exception>

#include "builder/cli/arguments.hpp"
#include "builder/cli/commands.hpp"
#include "builder/cli/exit_code.hpp"
#include "builder/cli/memory_marks.hpp"

int main(int argc, char** argv) {
  const kiln::CancelToken cancel;
  kiln::cli::install_signal_handlers(cancel);
  try {
    kiln::cli::Arguments arguments("kiln", "Builds fleets of container images without a daemon.");
    bool debug_memory = false;
    arguments.flag("--debug-memory", debug_memory, "At the end, say on stderr how much memory was held at most, and by which buffers");
    kiln::cli::add_commands(arguments);
    const int code = arguments.parse(argc, argv, cancel);
    if (debug_memory) kiln::cli::print_memory_marks();
    return code;
  } catch (const kiln::Error& error) {
    return kiln::cli::report_error(error, cancel);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: internal: %s\n", error.what());
    return 4;
  }
}
