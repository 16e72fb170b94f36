#include "base/process.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/forked_child.hpp"

using namespace kiln;

namespace {

Command shell(std::string script) {
  Command command;
  command.argv = {"sh", "-c", std::move(script)};
  return command;
}

}  // namespace

TEST_CASE("a program's outputs and exit code are captured apart") {
  const CommandResult result = run_command(shell("echo out; echo err >&2; exit 7"), CancelToken());
  CHECK(result.exit_code == 7);
  CHECK(result.stdout_bytes == "out\n");
  CHECK(result.stderr_bytes == "err\n");
}

TEST_CASE("a signal that killed the program is its exit code plus 128") {
  CHECK(run_command(shell("kill -TERM $$"), CancelToken()).exit_code == 128 + SIGTERM);
}

TEST_CASE("standard input is given whole and then closed") {
  Command command;
  command.argv = {"cat"};
  command.stdin_bytes = std::string(3000000, 'y');
  CHECK(run_command(command, CancelToken()).stdout_bytes == command.stdin_bytes);
  command.stdin_bytes.clear();
  CHECK(run_command(command, CancelToken()).stdout_bytes.empty());
}

TEST_CASE("a program that does not read its input does no harm") {
  Command command = shell("exec 0<&-; echo done");
  command.stdin_bytes = std::string(3000000, 'y');
  const CommandResult result = run_command(command, CancelToken());
  CHECK(result.exit_code == 0);
  CHECK(result.stdout_bytes == "done\n");
}

TEST_CASE("outputs larger than a pipe do not block one another") {
  const CommandResult result =
      run_command(shell("head -c 500000 /dev/zero >&2; head -c 500000 /dev/zero"), CancelToken());
  CHECK(result.stdout_bytes.size() == 500000);
  CHECK(result.stderr_bytes.size() == 500000);
}

TEST_CASE("with a listener nothing is captured") {
  std::string heard;
  const CommandResult result =
      run_command(shell("echo a; echo b >&2"), CancelToken(), [&](std::string_view piece) { heard += piece; });
  CHECK(heard.find("a\n") != std::string::npos);
  CHECK(heard.find("b\n") != std::string::npos);
  CHECK(result.stdout_bytes.empty());
  CHECK(result.stderr_bytes.empty());
}

TEST_CASE("environment and working directory are the command's own") {
  const TempDir folder;
  Command command = shell("echo \"$A:$HOME\"; pwd -P");
  command.environment = {"A=1", "PATH=/usr/bin:/bin"};
  command.working_directory = folder.path();
  CHECK(run_command(command, CancelToken()).stdout_bytes == "1:\n" + fs::canonical(folder.path()).native() + "\n");
}

TEST_CASE("a relative program is that of the caller's folder, not of the command's") {
  const TempDir folder;
  write_file_atomically(folder.path() / "here", "#!/bin/sh\necho found\n", Durability::ephemeral, 0755);
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  Command command;
  command.argv = {"./here"};
  command.working_directory = "/";
  const std::string output = run_command(command, CancelToken()).stdout_bytes;
  fs::current_path(before);
  CHECK(output == "found\n");
}

TEST_CASE("programs that cannot be started are errors of the machine") {
  Command command;
  command.argv = {"kiln-no-such-program"};
  CHECK_ERROR(run_command(command, CancelToken()), Category::machine, "program 'kiln-no-such-program' is not on PATH");
  command = shell("true");
  command.working_directory = "/no/such/folder";
  CHECK_ERROR(run_command(command, CancelToken()), Category::machine, doctest::Contains("cannot start 'sh'"));
  CHECK_FALSE(find_program("/etc/passwd"));
  CHECK_FALSE(find_program("/etc"));
  CHECK_FALSE(find_program(""));
  CHECK(find_program("sh"));
}

TEST_CASE("cancelling ends the program and what it started, and lets it clean up first") {
  const TempDir folder;
  const fs::path cleaned = folder.path() / "cleaned", pid = folder.path() / "pid";
  const CancelToken cancel;
  std::thread canceller([&] {
    while (!fs::exists(pid)) std::this_thread::yield();
    cancel.cancel(SIGINT);
  });
  Command command =
      shell("trap 'touch \"$1\"; exit 1' TERM; (sleep 1000 & echo $! > \"$2.tmp\"; mv \"$2.tmp\" \"$2\"; wait) & wait");
  command.argv.insert(command.argv.end(), {"sh", cleaned.native(), pid.native()});
  try {
    run_command(command, cancel);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.category() == Category::cancelled);
  }
  canceller.join();
  CHECK(fs::exists(cleaned));
  const auto grandchild = static_cast<pid_t>(*parse_unsigned(trim(read_file(pid))));
  // Whatever adopted it reaps it: it is gone or a zombie, once the kernel came to deliver what it was sent.
  const auto has_ended = [&] {
    const auto stat = read_file_if_exists("/proc/" + std::to_string(grandchild) + "/stat");
    return !stat || stat->find(") Z ") != std::string::npos || stat->find("(sleep)") == std::string::npos;
  };
  for (int i = 0; i < 1000 && !has_ended(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(has_ended());
}

TEST_CASE("cancelling reaches a program that has closed its outputs") {
  const CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cancel.cancel(SIGINT);
  });
  CHECK_ERROR(run_command(shell("exec >&- 2>&-; sleep 1000"), cancel), Category::cancelled, "stopped on request");
  canceller.join();
}

TEST_CASE("a program runs where kiln was started with its standard streams closed") {
  ForkedChild child([](ForkedChild::Link&) {
    for (const int fd : {0, 1, 2}) ::close(fd);
    Command command = shell("cat; echo err >&2");
    command.stdin_bytes = "in";
    const CommandResult result = run_command(command, CancelToken());
    return result.stdout_bytes == "in" && result.stderr_bytes == "err\n" ? 0 : 1;
  });
  CHECK(child.wait() == 0);
}

TEST_CASE("a program dies with the process that runs it") {
  const TempDir folder;
  const fs::path pid_file = folder.path() / "pid";
  ForkedChild child([&](ForkedChild::Link&) {
    Command command = shell("echo $$ > \"$1.tmp\"; mv \"$1.tmp\" \"$1\"; exec sleep 1000");
    command.argv.insert(command.argv.end(), {"sh", pid_file.native()});
    run_command(command, CancelToken());
    return 0;
  });
  while (!fs::exists(pid_file)) std::this_thread::yield();
  const std::string stat = "/proc/" + std::string(trim(read_file(pid_file))) + "/stat";
  child.kill();
  child.wait();
  bool ended = false;
  for (int i = 0; i < 2000 && !ended; ++i) {
    const auto text = read_file_if_exists(stat);
    ended = !text || text->find(") Z ") != std::string::npos;
    if (!ended) ::usleep(1000);
  }
  CHECK(ended);
}

TEST_CASE("a program that prints more than it may is ended, whichever output it prints to") {
  for (const char* text : {"exec yes", "exec yes >&2"}) {
    Command command = shell(text);
    command.most_output_bytes = 100'000;
    CHECK_ERROR(run_command(command, CancelToken()), Category::machine, "program 'sh' printed more than 100 kB");
  }
  Command command = shell("printf 12345; printf 67 >&2");
  command.most_output_bytes = 7;
  CHECK(run_command(command, CancelToken()).stdout_bytes == "12345");
}

TEST_CASE("an environment variable that is empty is set") {
  ::setenv("KILN_TEST_EMPTY", "", 1);
  CHECK(environment_variable("KILN_TEST_EMPTY") == "");
  ::unsetenv("KILN_TEST_EMPTY");
  CHECK_FALSE(environment_variable("KILN_TEST_EMPTY"));
}
