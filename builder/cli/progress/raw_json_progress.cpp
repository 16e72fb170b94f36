#include "builder/cli/progress/raw_json_progress.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace kiln {

namespace {

using Json = nlohmann::ordered_json;

// How many bytes at the end of a text begin a character that is not complete.
std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t length = std::min<std::size_t>(3, text.size()); length > 0; --length) {
    if (utf8_state(text.substr(text.size() - length)) == Utf8State::incomplete) return length;
  }
  return 0;
}

}  // namespace

RawJsonProgress::RawJsonProgress(int fd, ProgressClock clock)
    : output_(fd), clock_(std::move(clock)), began_(clock_()) {}

RawJsonProgress::~RawJsonProgress() {
  const std::lock_guard lock(mutex_);
  while (!unfinished_.empty()) {
    const int number = unfinished_.begin()->first;
    end(number);
    print("canceled", {{"step", number}});
  }
}

void RawJsonProgress::step_started(const StepView& step) {
  const std::lock_guard lock(mutex_);
  unfinished_[step.number];
  print("started", {{"step", step.number},
                    {"target", step.target},
                    {"stage", step.stage},
                    {"index", step.index},
                    {"count", step.count},
                    {"text", step.text},
                    {"file", step.file},
                    {"line", step.line}});
}

void RawJsonProgress::step_output(int number, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  std::string& kept = unfinished_[number];
  std::string text = std::exchange(kept, {}) + std::string(bytes);
  const std::size_t complete = text.size() - incomplete_tail(text);
  kept = text.substr(complete);
  text.resize(complete);
  if (!text.empty()) print("output", {{"step", number}, {"text", std::move(text)}});
}

void RawJsonProgress::step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  print("progress", {{"step", number}, {"what", what}, {"done", done}, {"total", total}});
}

void RawJsonProgress::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  end(number);
  print("finished", {{"step", number},
                     {"outcome", to_string(result.outcome)},
                     {"key", result.key},
                     {"from", result.from},
                     {"reason", result.reason},
                     {"seconds", result.seconds},
                     {"bytes", result.bytes},
                     {"diff_id", result.diff_id ? result.diff_id->str() : ""}});
}

void RawJsonProgress::task_finished(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  end(number);
  print("task", {{"step", number}, {"error", error}});
}

void RawJsonProgress::log(const char* level, std::string_view message) {
  const std::lock_guard lock(mutex_);
  print("log", {{"level", level}, {"message", message}});
}

void RawJsonProgress::print(const char* event, Json members) {
  Json object = {{"time", std::round((clock_() - began_) * 1000) / 1000}, {"event", event}};
  for (auto& [name, value] : members.items()) object[name] = std::move(value);
  output_.write(visible_json(json_text(object)) + "\n");
}

void RawJsonProgress::end(int number) {
  const auto found = unfinished_.find(number);
  if (found == unfinished_.end()) return;
  if (!found->second.empty()) print("output", {{"step", number}, {"text", found->second}});
  unfinished_.erase(found);
}

}  // namespace kiln
