#pragma once

#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "builder/cli/progress/progress_output.hpp"

namespace kiln {

// Progress for programs: one JSON object (RFC 8259, UTF-8) a line, members only ever added. Every object has "time",
// seconds since the display began, and "event":
//
//   started    step, target, stage, index, count, text, file, line      as in StepView
//   output     step, text           what the command printed, escape sequences included; cut anywhere but inside a
//                                   character; bytes that are no UTF-8 are U+FFFD
//   progress   step, what, done, total                                  bytes; total 0 where it is not known
//   finished   step, outcome ("hit", "built", "failed"), key, from, reason, seconds, bytes, diff_id
//   task       step, error          a piece of work that can make no layer ended; error "" where it went well
//   canceled   step                 the display ended before the step did
//   log        level ("info", "warning", "debug"), message
class RawJsonProgress final : public BuildObserver {
 public:
  RawJsonProgress(int fd, ProgressClock clock);
  ~RawJsonProgress() override;

  void info(std::string_view message) override { log("info", message); }
  void warn(std::string_view message) override { log("warning", message); }
  void debug(std::string_view message) override { log("debug", message); }
  void step_started(const StepView& step) override;
  void step_output(int number, std::string_view bytes) override;
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) override;
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;

 private:
  void log(const char* level, std::string_view message);
  void print(const char* event, nlohmann::ordered_json members);
  void end(int number);

  ProgressOutput output_;
  ProgressClock clock_;
  double began_;
  std::mutex mutex_;
  std::map<int, std::string> unfinished_;  // per step: the beginning of a character
};

}  // namespace kiln
