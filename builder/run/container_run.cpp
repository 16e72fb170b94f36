#include "builder/run/container_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/output_lines.hpp"
#include "builder/run/container_plan.hpp"
#include "builder/run/worker_client.hpp"

namespace kiln {

namespace {

constexpr std::size_t kKeptOutputBytes = 16 << 10;
constexpr int kTickMs = 100;
constexpr int kCheckEveryMs = 500;
constexpr int kDefaultCheckTimeoutMs = 30'000;
constexpr int kStopMs = 10'000;
constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The end of a stream of output.
class Tail {
 public:
  void add(std::string_view bytes) {
    text_ += bytes;
    if (text_.size() > 2 * kKeptOutputBytes) text_.erase(0, text_.size() - kKeptOutputBytes);
  }
  std::string text() const {
    const std::size_t begin = text_.size() > kKeptOutputBytes ? text_.size() - kKeptOutputBytes : 0;
    OutputLines lines;
    std::string result;
    for (const std::string& line : lines.feed(std::string_view(text_).substr(begin))) result += line + "\n";
    for (const std::string& line : lines.finish()) result += line + "\n";
    return result;
  }

 private:
  std::string text_;
};

}  // namespace

struct RunningContainer::State {
  State(Runner& runner, const ContainerPlan& plan, SpecProcess exec_process)
      : client(runner, plan), process(std::move(exec_process)) {
    sink = [this](std::string_view bytes) {
      const std::lock_guard lock(mutex);
      output.add(bytes);
    };
  }
  WorkerClient client;
  SpecProcess process;
  OutputSink sink;
  bool ended = false;
  mutable std::mutex mutex;  // for what is below
  Tail output;
};

void apply_image_config(RunRequest& request, const oci::ImageConfig& config) {
  const oci::ContainerConfig& container = config.config;
  request.argv = container.entrypoint.value_or(std::vector<std::string>{});
  const std::vector<std::string> cmd = container.cmd.value_or(std::vector<std::string>{});
  request.argv.insert(request.argv.end(), cmd.begin(), cmd.end());
  if (request.argv.empty())
    throw Error(Category::usage, "the image has neither ENTRYPOINT nor CMD, so there is nothing to start");
  request.env = container.env;
  if (!oci::env_value(request.env, "PATH")) request.env.push_back(kDefaultPath);
  request.working_dir = container.working_dir.empty() ? "/" : container.working_dir;
}

RunningContainer::RunningContainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunningContainer::RunningContainer(RunningContainer&&) noexcept = default;
RunningContainer& RunningContainer::operator=(RunningContainer&&) noexcept = default;

RunningContainer::~RunningContainer() {
  if (!state_) return;
  try {
    kill();
  } catch (const std::exception&) {
    // The worker ends with its socket in any case.
  }
}

RunningContainer RunningContainer::start(Runner& runner, const HomeLayout& home, const RunRequest& request) {
  std::vector<std::string> warnings;
  SpecProcess process;
  const ContainerPlan plan = plan_container(home, runner.runtime(home), request, warnings, &process);
  return RunningContainer(std::make_unique<State>(runner, plan, std::move(process)));
}

std::optional<RunResult> RunningContainer::wait(int timeout_ms) {
  const double deadline = monotonic_seconds() + timeout_ms / 1000.0;
  while (!state_->ended) {
    const int left_ms = static_cast<int>((deadline - monotonic_seconds()) * 1000);
    state_->ended = state_->client.pump(std::clamp(left_ms, 0, kTickMs), state_->sink);
    if (!state_->ended && left_ms <= 0) return std::nullopt;
  }
  return state_->client.result();
}

RunningContainer::ExecResult RunningContainer::exec(const std::vector<std::string>& argv, int timeout_ms,
                                                    const CancelToken& cancel) {
  SpecProcess process = state_->process;
  process.argv = argv;
  Tail output;
  const double begin = monotonic_seconds();
  const auto code = state_->client.exec(
      runtime_process(process), timeout_ms, state_->sink, [&](std::string_view bytes) { output.add(bytes); }, cancel);
  cancel.check();
  ExecResult result;
  result.exit_code = code.value_or(-1);
  result.timed_out = code == 137 && (monotonic_seconds() - begin) * 1000 >= timeout_ms;
  result.output = output.text();
  return result;
}

std::string RunningContainer::last_output() const {
  const std::lock_guard lock(state_->mutex);
  return state_->output.text();
}

void RunningContainer::kill() {
  if (state_->ended) return;
  state_->client.stop();
  const double deadline = monotonic_seconds() + kStopMs / 1000.0;
  while (!state_->ended && monotonic_seconds() < deadline) state_->ended = state_->client.pump(kTickMs, state_->sink);
}

HealthVerdict wait_for_health(RunningContainer& container, const oci::ImageConfig& config, int timeout_ms,
                              const CancelToken& cancel) {
  const auto& check = config.config.healthcheck;
  const bool has_check = check && check->test.size() > 1 && check->test.front() != "NONE";
  std::vector<std::string> argv;
  int check_timeout_ms = kDefaultCheckTimeoutMs;
  if (has_check) {
    if (check->test.front() == "CMD-SHELL") {
      argv = config.config.shell.value_or(std::vector<std::string>{"/bin/sh", "-c"});
      argv.push_back(check->test[1]);
    } else {
      argv.assign(check->test.begin() + 1, check->test.end());
    }
    if (check->timeout_ns > 0)
      check_timeout_ms = static_cast<int>(std::max<std::int64_t>(check->timeout_ns / 1'000'000, 1));
  }
  HealthVerdict verdict;
  const double begin = monotonic_seconds();
  const auto elapsed_ms = [&] { return static_cast<int>((monotonic_seconds() - begin) * 1000); };
  for (;;) {
    cancel.check();
    if (has_check) {
      ++verdict.checks;
      const int left_ms = std::max(timeout_ms - elapsed_ms(), 1);
      const auto result = container.exec(argv, std::min(check_timeout_ms, left_ms), cancel);
      // A check that the end of the whole wait cut short says less than the one before.
      const bool is_cut = result.timed_out && left_ms < check_timeout_ms;
      if (!is_cut || verdict.check_output.empty()) verdict.check_output = result.output;
      if (result.exit_code == 0 && !result.timed_out) {
        verdict.health = Health::healthy;
        break;
      }
    }
    if (const auto end = container.wait(std::clamp(timeout_ms - elapsed_ms(), 0, kCheckEveryMs))) {
      verdict.health = Health::exited;
      verdict.exit_code = end->exit_code;
      break;
    }
    if (elapsed_ms() >= timeout_ms) {
      verdict.health = has_check ? Health::unhealthy : Health::no_check;
      break;
    }
  }
  verdict.seconds = monotonic_seconds() - begin;
  return verdict;
}

}  // namespace kiln
