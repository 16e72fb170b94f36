#include <malloc.h>
#include <signal.h>

#include <cstdio>
#include <exception>
#include <filesystem>

#include "base/core_files.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/exit_code.hpp"
#include "builder/cli/output/memory_marks.hpp"
#include "builder/cli/version.hpp"
#include "builder/cli/words/arguments.hpp"

namespace {

// Buffers of some megabytes come and go all the time. By itself malloc returns their pages to the kernel and asks
// for others, of which each costs a fault, and on a virtual machine often a second one of its host.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  kiln::leave_no_core_files();
  keep_freed_memory();
  // A file that may not grow any more (ulimit -f) is an error of the write that says so, not the end without a word.
  ::signal(SIGXFSZ, SIG_IGN);
  const kiln::CancelToken cancel;
  kiln::cli::install_signal_handlers(cancel);
  try {
    kiln::cli::Arguments arguments("kiln", "Builds fleets of container images without a daemon.");
    bool debug_memory = false;
    arguments.flag("--debug-memory", debug_memory,
                   "At the end, say on stderr how much memory was held at most, and by which buffers");
    arguments.version(std::string("kiln ") + kiln::cli::kVersion);
    kiln::cli::add_commands(arguments);
    const int code = arguments.parse(argc, argv, cancel);
    if (debug_memory) kiln::cli::print_memory_marks();
    return code;
  } catch (const kiln::Error& error) {
    return kiln::cli::report_error(error, cancel);
  } catch (const std::filesystem::filesystem_error& error) {
    // A name that no file can have is the caller's; all else that a file system refuses is the machine's.
    const bool is_name = error.code() == std::errc::filename_too_long;
    const std::string what = "cannot use '" + kiln::printable(error.path1().native()) + "': " + error.code().message();
    return kiln::cli::report_error({is_name ? kiln::Category::usage : kiln::Category::machine, what}, cancel);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: internal: %s\n", error.what());
    return 4;
  }
}
