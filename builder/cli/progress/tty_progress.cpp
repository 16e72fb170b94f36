#include "builder/cli/progress/tty_progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/output_lines.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::chrono::milliseconds kFrameTime{100};
constexpr const char* kHideCursor = "\x1b[?25l";
constexpr const char* kShowCursor = "\x1b[?25h";
constexpr const char* kEraseLineAfter = "\x1b[K";
constexpr const char* kEraseBelow = "\x1b[J";

// The rows that a line takes on a terminal which was narrowed since it was drawn, and breaks it anew.
std::size_t rows_of(const std::string& line, int columns) {
  OutputLines plain;
  plain.feed(line);
  const std::size_t width = display_width(plain.partial());
  const auto per_row = static_cast<std::size_t>(std::max(columns, 1));
  return std::max<std::size_t>(1, (width + per_row - 1) / per_row);
}

}  // namespace

std::string TtyScreen::draw(const std::vector<std::string>& messages, const std::vector<std::string>& frame,
                            int columns) {
  if (messages.empty() && frame == drawn_) return {};
  return draw_over(messages, frame, columns);
}

std::string TtyScreen::draw_last(const std::vector<std::string>& messages, const std::vector<std::string>& frame,
                                 int columns) {
  std::string bytes = draw_over(messages, frame, columns);
  drawn_.clear();
  cursor_hidden_ = false;
  return bytes + kShowCursor;
}

// Lines are written over the old ones and only their rests erased: nothing is blank in between, so nothing flickers.
std::string TtyScreen::draw_over(const std::vector<std::string>& messages, const std::vector<std::string>& frame,
                                 int columns) {
  std::string bytes;
  if (!cursor_hidden_) bytes += kHideCursor;
  cursor_hidden_ = true;
  std::size_t rows = 0;
  for (const std::string& line : drawn_) rows += rows_of(line, columns);
  if (rows > 0) bytes += fmt::format("\r\x1b[{}A", rows);
  for (const std::vector<std::string>* lines : {&messages, &frame}) {
    for (const std::string& line : *lines) bytes += fmt::format("{}{}\r\n", line, kEraseLineAfter);
  }
  bytes += kEraseBelow;
  drawn_ = frame;
  return bytes;
}

TtyProgress::TtyProgress(int fd, Colour colour, ProgressClock clock, std::function<TerminalSize()> terminal_size,
                         Debug debug)
    : output_(fd),
      clock_(std::move(clock)),
      terminal_size_(std::move(terminal_size)),
      debug_(debug),
      view_(colour, clock_(), std::max(4U, 2 * std::thread::hardware_concurrency())),
      thread_([this] { draw_until_stopped(); }) {}

TtyProgress::~TtyProgress() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_one();
  thread_.join();
  const TerminalSize size = terminal_size_();
  output_.write(screen_.draw_last(messages_, view_.final_frame(clock_(), size), size.columns));
}

void TtyProgress::draw_until_stopped() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const TerminalSize size = terminal_size_();
    const std::vector<std::string> frame = view_.frame(clock_(), size);
    const std::vector<std::string> messages = std::exchange(messages_, {});
    lock.unlock();
    output_.write(screen_.draw(messages, frame, size.columns));
    lock.lock();
    stop_.wait_for(lock, kFrameTime, [this] { return stopped_; });
  }
}

void TtyProgress::info(std::string_view message) {
  const std::lock_guard lock(mutex_);
  for (const std::string_view line : split(message, '\n')) messages_.push_back(printable(line));
}

void TtyProgress::warn(std::string_view message) {
  const std::lock_guard lock(mutex_);
  view_.warn(message);
}

void TtyProgress::debug(std::string_view message) {
  if (debug_ == Debug::show) info(fmt::format("DEBUG: {}", message));
}

void TtyProgress::step_started(const StepView& step) {
  const std::lock_guard lock(mutex_);
  view_.step_started(step, clock_());
}

void TtyProgress::step_missed(int number, const Miss&) {
  const std::lock_guard lock(mutex_);
  view_.step_missed(number);
}

void TtyProgress::step_output(int number, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  view_.step_output(number, bytes);
}

void TtyProgress::step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  view_.step_progress(number, what, done, total, clock_());
}

void TtyProgress::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  view_.step_finished(number, result, clock_());
}

void TtyProgress::task_finished(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  view_.task_finished(number, error, clock_());
}

void TtyProgress::task_stopped(int number) {
  const std::lock_guard lock(mutex_);
  view_.task_stopped(number, clock_());
}

void TtyProgress::stage_waits(const StageView& stage, const StageView& other) {
  const std::lock_guard lock(mutex_);
  view_.stage_waits(stage, other);
}

void TtyProgress::stage_goes_on(const StageView& stage) {
  const std::lock_guard lock(mutex_);
  view_.stage_goes_on(stage);
}

void TtyProgress::build_expected(const std::vector<ExpectedStage>& stages) {
  const std::lock_guard lock(mutex_);
  view_.expect(stages);
}

}  // namespace kiln
