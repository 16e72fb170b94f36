#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/output_lines.hpp"
#include "builder/cli/progress/kept_output.hpp"
#include "builder/cli/progress/log_folds.hpp"
#include "builder/cli/progress/progress_output.hpp"

namespace kiln {

// Progress as lines that people read in the log of a CI job:
//
//   #3 [hub 2/4] RUN pip install -r requirements.txt (not cached: 'requirements.txt' changed)
//                                         a step that is still at work after a second, or prints something
//   #3 0.512 Collecting fastapi           its output: seconds since its start, one whole line
//   #3 DONE 17.5s [hub 2/4] RUN pip install -r requirements.txt
//   #7 ERROR 2.1s [web 3/4] RUN npm ci
//   98 steps from the cache (90 local, 8 registry ghcr.io/acme/cache)       at the end
//   #7 [web 3/4] RUN npm ci               failures last, with all that they printed
//   #7 0.3 npm error ...
//   #7 ERROR: 'npm ci' ended with exit code 1
//
// What ends within a second and prints nothing is its last line alone, with the reason of a miss. Where the service
// that shows the log can fold (LogFolds), a step's output is written when it ends, folded under its last line.
class PlainProgress final : public BuildObserver {
 public:
  enum class Debug { hide, show };
  // Who looks after steps that take long: a thread, or each event that is told, as tests want it.
  enum class Ticks { by_thread, by_events };
  struct Options {
    Debug debug = Debug::hide;
    Ticks ticks = Ticks::by_events;
    LogFolds folds{LogFolds::Service::none};
  };

  PlainProgress(int fd, ProgressClock clock, Options options);
  ~PlainProgress() override;

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

 private:
  struct Step {
    std::string label;
    std::string tally;
    double started = 0;
    Miss missed;              // why, once it is known
    std::uint64_t moved = 0;  // bytes, of a task
    bool is_told = false;     // its first line is written
    bool is_whole = false;    // since then the log has nothing but this step
    double line_started = 0;  // when the line of output that has no end yet began
    OutputLines output;
    KeptOutput kept;
  };
  struct Failure {
    int number = 0;
    std::string label;
    std::string reason;
    KeptOutput kept;
    bool is_above = false;  // its output is what the log ended with
  };
  struct Tally {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
  };

  Step* find(int number);
  void tell(int number, Step& step);
  void tell_slow_ones();
  void keep(int number, Step& step, const std::vector<std::string>& lines);
  void end(int number, const std::string& verdict);
  void fail(int number, std::string_view reason);
  void stop(int number);
  void sum_up();
  void print_failure(const Failure& failure);
  void print(int number, std::string_view text);
  void write(int number, std::string_view bytes);

  ProgressOutput output_;
  ProgressClock clock_;
  Options options_;
  std::mutex mutex_;
  std::map<int, Step> steps_;
  std::map<std::string, std::size_t> hits_;  // by where they are from; a step of several images once
  std::set<std::string> hit_keys_;
  std::map<std::string, Tally> tallies_;
  std::vector<Failure> failures_;
  std::condition_variable stop_;
  bool is_ending_ = false;
  std::thread ticks_;
};

}  // namespace kiln
