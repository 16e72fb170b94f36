#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "builder/steps/events.hpp"

namespace kiln {

// Nanoseconds since 1970-01-01T00:00:00Z.
using UnixNanoseconds = std::uint64_t;

// A span of OpenTelemetry's trace model (opentelemetry.io/docs/specs/otel/trace/api).
struct TraceSpan {
  using Value = std::variant<std::string, std::int64_t, double, bool>;

  std::string id;         // 16 hex digits
  std::string parent_id;  // empty for none
  std::string name;
  UnixNanoseconds start = 0;
  UnixNanoseconds end = 0;
  std::vector<std::pair<std::string, Value>> attributes;
  std::optional<std::string> error;  // the message of one that failed
};

// A trace context that a caller hands down (www.w3.org/TR/trace-context).
struct TraceParent {
  std::string trace_id;  // 32 hex digits
  std::string span_id;   // 16
};
// nullopt for what is no valid "00-TRACE-SPAN-FLAGS".
std::optional<TraceParent> parse_traceparent(std::string_view text);

// The spans of one build: the build, in it its targets, in them their steps and what they waited for, and beside them
// transfers and other tasks. Nothing of them is a secret: no output of commands, no environment, no values of ARG; and
// URLs without credentials.
//
// Any thread.
class BuildTrace {
 public:
  // `name`: "kiln bake". It begins now.
  BuildTrace(std::string name, const std::optional<TraceParent>& parent);

  void step_started(const StepView& step);
  void step_missed(int number);
  void step_progress(int number, std::uint64_t done);
  void step_finished(int number, const StepResult& result);
  void task_finished(int number, std::string_view error);
  void task_stopped(int number);
  void stage_waits(const StageView& stage, const StageView& other);
  void stage_goes_on(const StageView& stage);
  // The build ends now, with an error or without. What has not ended was stopped.
  void finish(const std::optional<std::string>& error);

  const std::string& trace_id() const noexcept { return trace_id_; }
  // The build first. Only after finish().
  const std::vector<TraceSpan>& spans() const noexcept { return spans_; }

 private:
  struct Open {
    std::size_t span = 0;
    std::string target;
    std::uint64_t moved = 0;
  };

  UnixNanoseconds now() const;
  std::size_t target_of(const std::string& name, const std::string& platform);
  std::size_t add(std::string name, std::size_t parent);
  void end(int number, const char* outcome, std::optional<std::string> error);

  std::string trace_id_;
  double began_;  // of the monotonic clock
  UnixNanoseconds began_unix_;
  std::mutex mutex_;
  std::vector<TraceSpan> spans_;
  std::map<std::string, std::size_t> targets_;  // span by name and platform
  std::map<int, Open> open_;
  std::map<StageView, std::size_t> waits_;
};

// Passes on what it hears and writes it into a trace.
class TraceRecorder final : public BuildObserver {
 public:
  TraceRecorder(std::unique_ptr<BuildObserver> next, std::shared_ptr<BuildTrace> trace)
      : next_(std::move(next)), trace_(std::move(trace)) {}

  void info(std::string_view message) override { next_->info(message); }
  void warn(std::string_view message) override { next_->warn(message); }
  void debug(std::string_view message) override { next_->debug(message); }
  void step_started(const StepView& step) override;
  void step_missed(int number, const Miss& miss) override;
  void step_output(int number, std::string_view bytes) override { next_->step_output(number, bytes); }
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) override;
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;
  void task_stopped(int number) override;
  void stage_waits(const StageView& stage, const StageView& other) override;
  void stage_goes_on(const StageView& stage) override;
  bool wants_expectation() const override { return next_->wants_expectation(); }
  void build_expected(const std::vector<ExpectedStage>& stages) override { next_->build_expected(stages); }

 private:
  std::unique_ptr<BuildObserver> next_;
  std::shared_ptr<BuildTrace> trace_;
};

}  // namespace kiln
