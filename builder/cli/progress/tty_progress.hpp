#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "builder/cli/progress/progress_output.hpp"
#include "builder/cli/progress/tty_view.hpp"

namespace kiln {

// Where frames are drawn: the lowest lines of a terminal, drawn over in place. Pure: it returns the bytes to write.
class TtyScreen {
 public:
  // The bytes that put `messages` (whole lines, which stay) above, and `frame` in place of the frame before.
  // Nothing where that changes nothing.
  std::string draw(const std::vector<std::string>& messages, const std::vector<std::string>& frame, int columns);
  // The same, after which the screen is given back: the cursor is shown and stands below the frame.
  std::string draw_last(const std::vector<std::string>& messages, const std::vector<std::string>& frame, int columns);

 private:
  std::string draw_over(const std::vector<std::string>& messages, const std::vector<std::string>& frame, int columns);

  bool cursor_hidden_ = false;
  std::vector<std::string> drawn_;
};

// The view that is drawn anew ten times a second, by a thread of its own; a thread that tells of an event never waits
// for the terminal. Information is scrolled away above the view, warnings are kept for its end.
class TtyProgress final : public BuildObserver {
 public:
  enum class Debug { hide, show };

  TtyProgress(int fd, Colour colour, ProgressClock clock, std::function<TerminalSize()> terminal_size, Debug debug);
  ~TtyProgress() override;

  void info(std::string_view message) override;
  void warn(std::string_view message) override;
  void debug(std::string_view message) override;
  void step_started(const StepView& step) override;
  void step_missed(int number, const Miss& miss) override;
  void step_output(int number, std::string_view bytes) override;
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) override;
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;
  void task_stopped(int number) override;
  void stage_waits(const StageView& stage, const StageView& other) override;
  void stage_goes_on(const StageView& stage) override;
  bool wants_expectation() const override { return true; }
  void build_expected(const std::vector<ExpectedStage>& stages) override;

 private:
  void draw_until_stopped();

  ProgressOutput output_;
  ProgressClock clock_;
  std::function<TerminalSize()> terminal_size_;
  Debug debug_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;
  TtyView view_;
  std::vector<std::string> messages_;
  TtyScreen screen_;  // the drawing thread's; after it ended, the destructor's
  std::thread thread_;
};

}  // namespace kiln
