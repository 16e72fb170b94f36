#include "builder/run/terminal_session.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/error.hpp"
#include "builder/run/container_plan.hpp"
#include "builder/run/worker_client.hpp"

namespace kiln {

namespace {

constexpr int kTerminalTickMs = 50;

// Raw mode as long as it lives.
class RawTerminal {
 public:
  explicit RawTerminal(int fd) : fd_(fd) {
    if (::tcgetattr(fd_, &before_) != 0) throw_errno("read the settings of", "the terminal");
    termios raw = before_;
    ::cfmakeraw(&raw);
    if (::tcsetattr(fd_, TCSADRAIN, &raw) != 0) throw_errno("change the settings of", "the terminal");
  }
  ~RawTerminal() { ::tcsetattr(fd_, TCSADRAIN, &before_); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int fd_;
  termios before_{};
};

// False where the other end is closed.
bool write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd polled{fd, POLLOUT, 0};
      ::poll(&polled, 1, kTerminalTickMs);
      continue;
    }
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Bytes between a person's terminal and the container's.
class Relay {
 public:
  Relay(int input, int output) : input_(input), output_(output) {}

  void connect(Fd console) {
    console_ = std::move(console);
    copy_size();
  }
  bool is_connected() const noexcept { return static_cast<bool>(console_); }

  // Waits for bytes of either side, at most a tick.
  void turn() {
    std::array<pollfd, 2> polled{pollfd{console_.get(), POLLIN, 0}, pollfd{input_, POLLIN, 0}};
    if (::poll(polled.data(), input_ended_ ? 1 : 2, kTerminalTickMs) < 0 && errno != EINTR)
      throw_errno("wait for", "the terminal");
    copy_size();
    if (polled[0].revents) move_output();
    if (!input_ended_ && polled[1].revents) move_input();
  }

 private:
  void move_output() {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(console_.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    // EIO: no process in the container has its terminal open any more.
    if (got <= 0 || !write_whole(output_, std::string_view(buffer.data(), static_cast<std::size_t>(got))))
      console_.reset();
  }

  void move_input() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(input_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got > 0 && console_) {
      write_whole(console_.get(), std::string_view(buffer.data(), static_cast<std::size_t>(got)));
      return;
    }
    // The person is gone: an end of input ends a shell.
    input_ended_ = true;
    if (console_) write_whole(console_.get(), "\x04");
  }

  void copy_size() {
    winsize size{};
    if (!console_ || ::ioctl(output_, TIOCGWINSZ, &size) != 0) return;
    if (size.ws_row == size_.ws_row && size.ws_col == size_.ws_col) return;
    size_ = size;
    ::ioctl(console_.get(), TIOCSWINSZ, &size);
  }

  int input_;
  int output_;
  Fd console_;
  winsize size_{};
  bool input_ended_ = false;
};

}  // namespace

bool is_terminal(int input, int output) noexcept { return ::isatty(input) == 1 && ::isatty(output) == 1; }

RunResult run_on_terminal(Runner& runner, const HomeLayout& home, RunRequest request, int input, int output,
                          const CancelToken& cancel) {
  if (!is_terminal(input, output)) throw Error(Category::usage, "standard input or standard error is no terminal");
  cancel.check();
  request.terminal = true;
  std::vector<std::string> warnings;
  const ContainerPlan plan = plan_container(home, runner.runtime(home), request, warnings);
  const RawTerminal raw(input);
  WorkerClient client(runner, plan);
  Relay relay(input, output);
  const OutputSink to_terminal = [&](std::string_view bytes) { write_whole(output, bytes); };
  bool stopped = false;
  while (!client.pump(relay.is_connected() ? 0 : kTerminalTickMs, to_terminal)) {
    if (Fd console = client.take_console()) relay.connect(std::move(console));
    if (relay.is_connected()) relay.turn();
    if (!stopped && cancel.is_cancelled()) {
      stopped = true;
      client.stop();
    }
  }
  if (Fd console = client.take_console()) relay.connect(std::move(console));
  while (relay.is_connected()) relay.turn();
  if (stopped) cancel.check();
  RunResult result = client.result();
  result.warnings = std::move(warnings);
  return result;
}

}  // namespace kiln
