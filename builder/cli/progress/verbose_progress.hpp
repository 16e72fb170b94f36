#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/output_lines.hpp"
#include "builder/cli/progress/log_folds.hpp"
#include "builder/cli/progress/progress_output.hpp"

namespace kiln {

// All there is to tell, as lines, as BuildKit's plain mode prints them. Every line of a step carries its number, so
// that the lines of steps that run at once can be told apart:
//
//   #5 [builder 2/4] RUN pip install -r requirements.txt      when it starts, after an empty line
//   #5 0.512 Collecting fastapi                               its output: seconds since its start, one whole line
//   #5 layer 4f2a 12.3 MB / 45.0 MB 5.0s                      transfers: every five seconds, and at their end
//   #5 not cached: 'requirements.txt' changed                 why it missed, before its end
//   #5 DONE 1.2s | CACHED (local) | ERROR: message | CANCELED
//   WARNING: message
class VerboseProgress final : public BuildObserver {
 public:
  enum class Debug { hide, show };

  // `folds`: the service that shows the log, which is to take no order from it.
  VerboseProgress(int fd, ProgressClock clock, Debug debug, LogFolds folds = LogFolds(LogFolds::Service::none));
  ~VerboseProgress() override;

  void info(std::string_view message) override;
  void warn(std::string_view message) override;
  void debug(std::string_view message) override;
  void step_started(const StepView& step) override;
  void step_output(int number, std::string_view bytes) override;
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) override;
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;
  void task_stopped(int number) override;

 private:
  struct Transfer {
    double started = 0;
    double told = 0;
    bool ended = false;
  };
  struct Step {
    double started = 0;
    double line_started = 0;  // when the line that has no end yet began
    OutputLines output;
    std::map<std::string, Transfer, std::less<>> transfers;
  };

  Step& step(int number);
  void print(std::string_view prefix, std::string_view text);
  void print_output(int number, const Step& step, const std::vector<std::string>& lines);
  // Prints what is left of a step's output and forgets the step.
  void end(int number);

  ProgressOutput output_;
  ProgressClock clock_;
  Debug debug_;
  LogFolds folds_;
  std::mutex mutex_;
  bool printed_ = false;
  std::map<int, Step> steps_;
};

}  // namespace kiln
