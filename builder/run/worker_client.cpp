#include "builder/run/worker_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "builder/run/worker_socket.hpp"

namespace kiln {

namespace {

constexpr int kAnswerTickMs = 100;

// Reads once; closes the descriptor at its end.
void hand_on(Fd& from, const OutputSink& sink) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) {
    from.reset();
  } else if (sink) {
    sink(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create", "pipe");
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
  Fd read_end;
  Fd write_end;
};

}  // namespace

WorkerClient::WorkerClient(Runner& runner, const ContainerPlan& plan) : socket_(runner.open_worker()) {
  Pipe output;
  send_message(socket_, MessageType::run, plan.serialise(), output.write_end.get());
  output_ = std::move(output.read_end);
}

void WorkerClient::read_message() {
  std::optional<WorkerMessage> message = receive_message(socket_);
  if (!message) {
    socket_.reset();
    if (report_) return;
    report_ = WorkerReport{};
    report_->outcome = WorkerReport::Outcome::refused;
    report_->message = "the process that ran a container ended unexpectedly; run kiln again";
    return;
  }
  if (message->type == MessageType::console) console_ = std::move(message->descriptor);
  if (message->type == MessageType::network) {
    network_.push_back(std::move(message->descriptor));
    if (network_.size() == 3 && on_network_)
      on_network_({std::move(network_[0]), std::move(network_[1]), std::move(network_[2])});
  }
  if (message->type == MessageType::done) report_ = WorkerReport::parse(message->payload);
  if (message->type == MessageType::exec_done) exec_code_ = static_cast<int>(PayloadReader(message->payload).number());
}

bool WorkerClient::pump(int timeout_ms, const OutputSink& output) {
  if (!output_ && !socket_) return true;
  std::array<pollfd, 3> polled{pollfd{output_.get(), POLLIN, 0}, pollfd{socket_.get(), POLLIN, 0},
                               pollfd{exec_output_.get(), POLLIN, 0}};
  if (::poll(polled.data(), polled.size(), timeout_ms) < 0 && errno != EINTR) throw_errno("wait for", "a container");
  if (polled[0].revents) hand_on(output_, output);
  if (polled[2].revents) hand_on(exec_output_, exec_sink_ != nullptr ? *exec_sink_ : OutputSink{});
  if (polled[1].revents) read_message();
  return !output_ && !socket_;
}

void WorkerClient::stop() noexcept {
  if (socket_) ::shutdown(socket_.get(), SHUT_WR);
}

RunResult WorkerClient::wait(const OutputSink& output, const CancelToken& cancel) {
  bool stopped = false;
  while (!pump(kAnswerTickMs, output)) {
    if (!stopped && cancel.is_cancelled()) {
      stopped = true;
      stop();
    }
  }
  if (stopped) cancel.check();
  return result();
}

RunResult WorkerClient::result() const {
  const WorkerReport& report = report_.value();
  switch (report.outcome) {
    case WorkerReport::Outcome::refused:
      throw Error(report.category, report.message);
    case WorkerReport::Outcome::killed:
      throw Error(Category::cancelled, "the container was stopped");
    case WorkerReport::Outcome::exited:
      break;
  }
  RunResult result;
  result.exit_code = report.exit_code;
  if (report.exit_code > 128 && report.exit_code <= 128 + SIGRTMAX) result.signal = report.exit_code - 128;
  result.seconds = report.seconds;
  result.out_of_memory = report.out_of_memory;
  return result;
}

std::optional<int> WorkerClient::exec(const std::string& process, int timeout_ms, const OutputSink& container_output,
                                      const OutputSink& output, const CancelToken& cancel) {
  if (!socket_) return std::nullopt;
  Pipe pipe;
  send_message(socket_, MessageType::exec, process, pipe.write_end.get());
  pipe.write_end.reset();
  exec_output_ = std::move(pipe.read_end);
  exec_sink_ = &output;
  exec_code_.reset();
  const double deadline = monotonic_seconds() + timeout_ms / 1000.0;
  bool killed = false;
  while (!exec_code_ && socket_) {
    pump(kAnswerTickMs, container_output);
    if (!killed && (monotonic_seconds() > deadline || cancel.is_cancelled())) {
      killed = true;
      if (socket_) send_message(socket_, MessageType::exec_kill, "");
    }
  }
  // What it printed before it ended is in the pipe; a process it left behind may keep the pipe open, and is not waited
  // for.
  while (exec_code_ && exec_output_) {
    pollfd polled{exec_output_.get(), POLLIN, 0};
    if (::poll(&polled, 1, 0) <= 0) break;
    hand_on(exec_output_, output);
  }
  exec_output_.reset();
  exec_sink_ = nullptr;
  return exec_code_;
}

}  // namespace kiln
