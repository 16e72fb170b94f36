#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <system_error>

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

// Whether a pipe has no reader any more: one that has read enough of a list wants no error of it.
bool is_reader_gone(int fd) {
  pollfd end{fd, POLLOUT, 0};
  return ::poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0;
}

kiln::Error output_error(const std::string& reason) {
  return {kiln::Category::machine, "cannot write to standard output" + (reason.empty() ? "" : ": " + reason)};
}

// What a buffer still holds is written, or it is an error: a program would take what it does not get for an answer.
void finish_output() {
  std::cout.flush();
  errno = 0;
  const bool is_flushed = std::fflush(stdout) == 0;
  const int error_number = errno;
  const bool is_written = is_flushed && std::ferror(stdout) == 0 && std::cout.good();
  if (!is_written && !is_reader_gone(STDOUT_FILENO))
    throw output_error(error_number ? kiln::errno_text(error_number) : "");
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
    finish_output();
    return code;
  } catch (const kiln::Error& error) {
    return kiln::cli::report_error(error, cancel);
  } catch (const std::filesystem::filesystem_error& error) {
    // A name that no file can have is the caller's; all else that a file system refuses is the machine's.
    const bool is_name = error.code() == std::errc::filename_too_long;
    const std::string what = "cannot use '" + kiln::printable(error.path1().native()) + "': " + error.code().message();
    return kiln::cli::report_error({is_name ? kiln::Category::usage : kiln::Category::machine, what}, cancel);
  } catch (const std::system_error& error) {
    if (!std::ferror(stdout)) return kiln::cli::report_error({kiln::Category::machine, error.what()}, cancel);
    if (is_reader_gone(STDOUT_FILENO)) return 0;
    return kiln::cli::report_error(output_error(error.code().message()), cancel);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: internal: %s\n", error.what());
    return 4;
  }
}
