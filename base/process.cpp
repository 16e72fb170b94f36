#include "base/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/error.hpp"
#include "base/text.hpp"

extern char** environ;

namespace kiln {

namespace {

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create", "pipe");
  // Above the standard ones, so that dup2 onto those never meets one of ours where kiln was started with them closed.
  for (int& end : ends) {
    if (end > 2) continue;
    const int higher = ::fcntl(end, F_DUPFD_CLOEXEC, 3);
    ::close(end);
    if (higher < 0) throw_errno("create", "pipe");
    end = higher;
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

std::vector<char*> c_strings(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Writes to a pipe whose reader may be gone: EPIPE, and no SIGPIPE.
ssize_t write_without_signal(const Fd& fd, std::string_view bytes) {
  sigset_t pipe_signal, before;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t put = ::write(fd.get(), bytes.data(), bytes.size());
  const int error = errno;
  if (put < 0 && error == EPIPE) {
    const timespec at_once{};
    ::sigtimedwait(&pipe_signal, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return put;
}

// Ends a child whose owner leaves early, and what it started in its process group: SIGTERM, then SIGKILL; reaps it.
class Reaper {
 public:
  explicit Reaper(pid_t pid) : pid_(pid) {}
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  ~Reaper() {
    if (pid_ <= 0) return;
    const pid_t group = -pid_;
    ::kill(group, SIGTERM);
    for (int i = 0; i < kGraceMilliseconds && !try_wait(); ++i) ::usleep(1000);
    ::kill(group, SIGKILL);
    while (pid_ > 0 && !try_wait()) ::usleep(1000);
  }
  // The exit code once it has ended.
  std::optional<int> try_wait() {
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return std::nullopt;
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  int wait(const CancelToken& cancel) {
    for (int waited = 0;; ++waited) {
      if (const auto code = try_wait()) return *code;
      cancel.check();
      ::usleep(waited < 50 ? 100 : 5000);
    }
  }

 private:
  static constexpr int kGraceMilliseconds = 2000;
  pid_t pid_;
};

// Only async-signal-safe calls between fork and exec.
[[noreturn]] void exec_child(const char* program, char* const* argv, char* const* envp, const char* directory, int in,
                             int out, int err, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::dup2(in, 0) >= 0 && ::dup2(out, 1) >= 0 && ::dup2(err, 2) >= 0 &&
      (directory == nullptr || ::chdir(directory) == 0)) {
    ::execve(program, argv, envp);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t ignored = ::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

std::optional<fs::path> find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    const fs::path path = fs::absolute(name);  // the command may begin in another folder
    std::error_code unreadable;
    const bool is_program = fs::is_regular_file(path, unreadable) && ::access(path.c_str(), X_OK) == 0;
    return is_program ? std::optional(path) : std::nullopt;
  }
  const std::string path = environment_variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin") + ":/usr/sbin:/sbin";
  for (const std::string_view folder : split(path, ':')) {
    if (folder.empty()) continue;
    const fs::path candidate = fs::path(folder) / name;
    std::error_code unreadable;
    if (fs::is_regular_file(candidate, unreadable) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

CommandResult run_command(const Command& command, const CancelToken& cancel,
                          const std::function<void(std::string_view)>& on_output) {
  const auto program = find_program(command.argv.at(0));
  if (!program) throw Error(Category::machine, fmt::format("program '{}' is not on PATH", command.argv[0]));

  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe(), report = make_pipe();
  const std::vector<char*> argv = c_strings(command.argv);
  const std::vector<char*> envp = command.environment ? c_strings(*command.environment) : std::vector<char*>{};
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork for", command.argv[0]);
  if (pid == 0) {
    exec_child(program->c_str(), argv.data(), command.environment ? envp.data() : environ,
               command.working_directory ? command.working_directory->c_str() : nullptr, in.read_end.get(),
               out.write_end.get(), err.write_end.get(), report.write_end.get());
  }
  Reaper child(pid);
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();
  report.write_end.reset();
  int exec_error = 0;
  if (::read(report.read_end.get(), &exec_error, sizeof exec_error) == sizeof exec_error) {
    child.wait(CancelToken());
    errno = exec_error;
    throw_errno("start", command.argv[0]);
  }

  CommandResult result;
  std::uint64_t printed_bytes = 0;
  std::string_view unsent = command.stdin_bytes;
  ::fcntl(in.write_end.get(), F_SETFL, O_NONBLOCK);
  if (unsent.empty()) in.write_end.reset();
  const auto drain = [&](Fd& fd, std::string& into) {
    char buffer[65536];
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
      fd.reset();
      return;
    }
    printed_bytes += static_cast<std::uint64_t>(got);
    if (printed_bytes > command.most_output_bytes) {
      throw Error(Category::machine, fmt::format("program '{}' printed more than {}", command.argv[0],
                                                 human_bytes(command.most_output_bytes)));
    }
    if (on_output) {
      on_output(std::string_view(buffer, static_cast<std::size_t>(got)));
    } else {
      into.append(buffer, static_cast<std::size_t>(got));
    }
  };
  while (out.read_end || err.read_end) {
    cancel.check();
    std::array<pollfd, 3> polled{pollfd{out.read_end.get(), POLLIN, 0}, pollfd{err.read_end.get(), POLLIN, 0},
                                 pollfd{in.write_end.get(), POLLOUT, 0}};
    if (::poll(polled.data(), polled.size(), 200) < 0 && errno != EINTR) throw_errno("wait for", command.argv[0]);
    if (polled[0].revents) drain(out.read_end, result.stdout_bytes);
    if (polled[1].revents) drain(err.read_end, result.stderr_bytes);
    if (polled[2].revents) {
      const ssize_t put = write_without_signal(in.write_end, unsent);
      if (put > 0) unsent.remove_prefix(static_cast<std::size_t>(put));
      if (unsent.empty() || (put < 0 && errno != EAGAIN && errno != EINTR)) in.write_end.reset();
    }
  }
  result.exit_code = child.wait(cancel);
  return result;
}

}  // namespace kiln
