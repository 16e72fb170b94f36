#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "builder/cli/progress/log_folds.hpp"
#include "builder/cli/progress/progress_output.hpp"

namespace kiln {

// Says nothing until something fails: "ERROR: [builder 2/4] RUN pip install: message".
class QuietProgress final : public BuildObserver {
 public:
  QuietProgress(int fd, LogFolds folds) : output_(fd), folds_(std::move(folds)) {}

  void info(std::string_view) override {}
  void warn(std::string_view) override {}
  void debug(std::string_view) override {}
  void step_started(const StepView& step) override;
  void step_output(int, std::string_view) override {}
  void step_progress(int, std::string_view, std::uint64_t, std::uint64_t) override {}
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;
  void task_stopped(int number) override;

 private:
  void end(int number, std::string_view error);

  ProgressOutput output_;
  LogFolds folds_;
  std::mutex mutex_;
  std::map<int, std::string> labels_;
};

}  // namespace kiln
