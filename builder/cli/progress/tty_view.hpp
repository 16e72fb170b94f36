#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/output_lines.hpp"
#include "builder/cli/progress/progress.hpp"
#include "builder/cli/progress/throughput.hpp"
#include "builder/cli/progress/time_left.hpp"

namespace kiln {

// What the tty view shows, as a value: told what happens and at what time, it returns the lines of a frame. It touches
// no terminal and no clock. For one thread at a time.
//
//   [+] Building 3.2s (5/12), 1 warning, 4.1 MB/s, about 40s left
//    => CACHED [builder 1/4] COPY requirements.txt .                              0.0s
//    => [builder 2/4] RUN pip install -r requirements.txt                 2.1s of 12.3s
//    => => # Collecting fastapi
//    => [push] memory-fusion-hub-mainpc                                           0.4s
//    => => layer 4f2a [=======>            ] 12.3 MB / 45.0 MB, 4.1 MB/s
//    => 3 wait for [base-app stage-0]: hub, web, worker
//
// 12 is what is known: steps that started, and what is left of their stages. Times to come are those of earlier builds.
class TtyView {
 public:
  TtyView(Colour colour, double now, std::size_t parallel = 1) : colour_(colour), began_(now), time_left_(parallel) {}

  void warn(std::string_view message);
  void expect(const std::vector<ExpectedStage>& stages) { time_left_.expect(stages); }
  void step_started(const StepView& step, double now);
  void step_missed(int number) { time_left_.step_missed(number); }
  void step_output(int number, std::string_view bytes);
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total, double now);
  void step_finished(int number, const StepResult& result, double now);
  void task_finished(int number, std::string_view error, double now);
  void task_stopped(int number, double now);
  void stage_waits(const StageView& stage, const StageView& other) { waiting_[stage] = other; }
  void stage_goes_on(const StageView& stage) { waiting_.erase(stage); }

  // Lines narrower than the terminal, together lower than it: where there is no room for all, the oldest finished
  // steps give way first, then output.
  std::vector<std::string> frame(double now, TerminalSize size) const;

  // The last frame, which stays: what has not finished is cancelled; all steps, why they missed, all warnings,
  // however many lines that takes. Only hits are summed up where there are many.
  std::vector<std::string> final_frame(double now, TerminalSize size);

 private:
  enum class State { running, done, cached, failed, cancelled };
  struct Transfer {
    std::string what;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    Throughput speed;
  };
  struct Step {
    int number = 0;
    std::string label;
    State state = State::running;
    double started = 0;
    double seconds = 0;  // of a finished one
    std::string note;    // where a hit is from, why a step missed or failed
    OutputLines output;
    std::vector<std::string> last_lines;
    std::vector<Transfer> transfers;
  };

  Step* find(int number);
  std::string header(double now, std::string_view verdict) const;
  std::string step_line(const Step& step, double now, std::size_t columns) const;
  std::string note_line(std::string_view text, std::size_t columns) const;
  // What a running step shows below its line, most important last.
  std::vector<std::string> details(const Step& step, double now, std::size_t columns) const;
  // What stages wait for, the most waited for first.
  std::vector<std::string> waiting_lines(std::size_t columns) const;
  std::string painted(std::string line, const char* code) const;

  Colour colour_;
  double began_;
  std::vector<Step> steps_;  // in the order in which they started
  std::map<int, std::size_t> step_of_number_;
  std::map<std::pair<std::string, std::string>, std::pair<int, int>> stages_;  // furthest index, count
  std::vector<std::string> warnings_;
  std::map<StageView, StageView> waiting_;  // stage, and the one that it waits for
  Throughput speed_;                        // of all transfers
  TimeLeft time_left_;
};

}  // namespace kiln
