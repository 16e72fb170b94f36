#include "builder/cli/progress/tty_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/cache/step_record.hpp"
#include "builder/cli/progress/progress_output.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostDetails = 6;
constexpr std::size_t kBarColumns = 20;
// Of the last frame; of more hits their number is told.
constexpr std::size_t kMostHits = 20;
constexpr std::size_t kMostWaitedFor = 3;
constexpr std::size_t kMostWaiting = 6;

constexpr const char* kBlue = "\x1b[34m";
constexpr const char* kRed = "\x1b[31m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kDim = "\x1b[2m";

std::string bar(std::uint64_t done, std::uint64_t total) {
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarColumns));
  std::string result(filled, '=');
  if (filled < kBarColumns) result += '>';
  result.resize(kBarColumns, ' ');
  return "[" + result + "]";
}

// "40s", "3m05s".
std::string whole_seconds(double seconds) {
  return seconds < 60 ? fmt::format("{:.0f}s", seconds) : human_seconds(seconds);
}

// The width that lines may have. The last column stays free: terminals differ in what they do behind it.
std::size_t usable_columns(TerminalSize size) { return static_cast<std::size_t>(std::max(size.columns, 20)) - 1; }

}  // namespace

void TtyView::warn(std::string_view message) { warnings_.push_back(printable(message)); }

void TtyView::step_started(const StepView& view, double now) {
  step_of_number_[view.number] = steps_.size();
  Step& step = steps_.emplace_back();
  step.number = view.number;
  step.label = step_label(view);
  step.started = now;
  time_left_.step_started(view, now);
  if (view.count > 0) {
    auto& [index, count] = stages_[{view.target, view.stage}];
    index = std::max(index, view.index);
    count = std::max(count, view.count);
  }
}

void TtyView::step_output(int number, std::string_view bytes) {
  Step* step = find(number);
  if (!step) return;
  for (std::string& line : step->output.feed(bytes)) {
    if (step->last_lines.size() == kMostDetails) step->last_lines.erase(step->last_lines.begin());
    step->last_lines.push_back(std::move(line));
  }
}

void TtyView::step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total, double now) {
  Step* step = find(number);
  if (!step) return;
  const std::string name = printable(what);
  const auto found = std::find_if(step->transfers.begin(), step->transfers.end(),
                                  [&](const Transfer& transfer) { return transfer.what == name; });
  const bool ended = total > 0 && done >= total;
  if (found == step->transfers.end()) {
    if (ended) return;
    step->transfers.push_back({name, done, total, {}});
    step->transfers.back().speed.add(now, 0);
    speed_.add(now, 0);
    return;
  }
  const std::uint64_t moved = done - std::min(done, found->done);
  speed_.add(now, moved);
  found->speed.add(now, moved);
  if (ended) {
    step->transfers.erase(found);
  } else {
    found->done = done;
    found->total = total;
  }
}

void TtyView::step_finished(int number, const StepResult& result, double now) {
  Step* step = find(number);
  if (!step) return;
  time_left_.step_ended(number);
  switch (result.outcome) {
    case StepOutcome::hit:
      step->state = State::cached;
      step->note = printable(result.from);
      break;
    case StepOutcome::built:
      step->state = State::done;
      step->seconds = now - step->started;
      step->note = printable(result.reason);
      break;
    case StepOutcome::failed:
      step->state = result.was_stopped ? State::cancelled : State::failed;
      step->seconds = now - step->started;
      step->note = printable(result.reason);
      break;
  }
}

void TtyView::task_finished(int number, std::string_view error, double now) {
  Step* step = find(number);
  if (!step) return;
  step->state = error.empty() ? State::done : State::failed;
  step->seconds = now - step->started;
  step->note = printable(error);
}

void TtyView::task_stopped(int number, double now) {
  Step* step = find(number);
  if (!step) return;
  step->state = State::cancelled;
  step->seconds = now - step->started;
  step->note = kStoppedOnRequest;
}

std::vector<std::string> TtyView::frame(double now, TerminalSize size) const {
  const std::size_t columns = usable_columns(size);
  // The header, the line the cursor stands on, and the rest for steps.
  std::size_t room = static_cast<std::size_t>(std::max(size.rows, 4)) - 2;

  std::vector<std::string> waiting = waiting_lines(columns);
  std::vector<const Step*> running;
  for (const Step& step : steps_) {
    if (step.state == State::running) running.push_back(&step);
  }
  const std::size_t finished = steps_.size() - running.size();
  std::map<const Step*, std::vector<std::string>> below;
  std::size_t wanted = 0;
  for (const Step* step : running) wanted += (below[step] = details(*step, now, columns)).size();

  const auto not_shown = [&](std::size_t count, const char* what) {
    return painted(
        fit_width(fmt::format("    ... {} not shown", count_of(count, fmt::format("{} step", what))), columns), kDim);
  };
  std::vector<std::string> lines = {fit_width(header(now, ""), columns)};
  if (running.size() > room) {
    for (std::size_t i = 0; i + 1 < room; ++i) lines.push_back(step_line(*running[i], now, columns));
    lines.push_back(not_shown(running.size() - room + 1, "running"));
    return lines;
  }

  if (running.size() + waiting.size() >= room) waiting.clear();
  room -= waiting.size();

  // Running steps have a line each; finished ones get what output leaves, output at most half of the room.
  std::size_t details_room = std::min({wanted, room / 2, room - running.size()});
  std::size_t finished_room = room - running.size() - details_room;
  std::size_t hidden = 0;
  if (finished > finished_room) hidden = finished - (finished_room > 0 ? finished_room - 1 : 0);
  const bool tell_hidden = hidden > 0 && finished_room > 0;
  if (hidden == 0) details_room = std::min(wanted, room - running.size() - finished);

  // Every running step in turn keeps one more of its last lines.
  std::map<const Step*, std::size_t> kept;
  for (std::size_t given = 0; given < details_room;) {
    for (const Step* step : running) {
      if (given == details_room || kept[step] == below[step].size()) continue;
      ++kept[step];
      ++given;
    }
  }

  if (tell_hidden) lines.push_back(not_shown(hidden, "finished"));
  for (const Step& step : steps_) {
    if (step.state != State::running && hidden > 0) {
      --hidden;
      continue;
    }
    lines.push_back(step_line(step, now, columns));
    if (step.state != State::running) continue;
    const std::vector<std::string>& detail = below[&step];
    lines.insert(lines.end(), detail.end() - static_cast<std::ptrdiff_t>(kept[&step]), detail.end());
  }
  lines.insert(lines.end(), waiting.begin(), waiting.end());
  return lines;
}

std::vector<std::string> TtyView::final_frame(double now, TerminalSize size) {
  const std::size_t columns = usable_columns(size);
  bool any_failed = false;
  bool any_cancelled = false;
  for (Step& step : steps_) {
    if (step.state == State::running) {
      step.state = State::cancelled;
      step.seconds = now - step.started;
    }
    any_failed |= step.state == State::failed;
    any_cancelled |= step.state == State::cancelled;
  }
  stages_.clear();
  waiting_.clear();
  std::vector<std::string> lines = {fit_width(header(now, any_failed      ? " FAILED"
                                                          : any_cancelled ? " CANCELED"
                                                                          : " FINISHED"),
                                              columns)};
  const auto hits = static_cast<std::size_t>(
      std::count_if(steps_.begin(), steps_.end(), [](const Step& step) { return step.state == State::cached; }));
  if (hits > kMostHits) lines.push_back(painted(fmt::format(" => {} steps from the cache", hits), kBlue));
  for (const Step& step : steps_) {
    if (step.state == State::cached && hits > kMostHits) continue;
    lines.push_back(step_line(step, now, columns));
    // A step on a layer that was made anew is explained by that layer's own.
    if (step.state == State::done && !step.note.empty() && input_type(step.note) != InputType::parent_layer) {
      lines.push_back(note_line("not cached: " + step.note, columns));
    }
    if (step.state == State::failed) lines.push_back(note_line(step.note, columns));
  }
  if (!warnings_.empty()) lines.emplace_back();
  for (const std::string& warning : warnings_) lines.push_back(painted("WARNING: " + warning, kYellow));
  return lines;
}

TtyView::Step* TtyView::find(int number) {
  const auto found = step_of_number_.find(number);
  return found == step_of_number_.end() ? nullptr : &steps_[found->second];
}

std::string TtyView::header(double now, std::string_view verdict) const {
  const auto finished = static_cast<std::size_t>(std::count_if(steps_.begin(), steps_.end(), [](const Step& step) {
    return step.state != State::running && step.state != State::cancelled;
  }));
  std::size_t known = steps_.size();
  for (const auto& [stage, progress] : stages_) {
    known += static_cast<std::size_t>(std::max(0, progress.second - progress.first));
  }
  std::string text = fmt::format("[+] Building {} ({}/{}){}", human_seconds(now - began_), finished, known, verdict);
  if (!warnings_.empty()) {
    text += ", " + count_of(warnings_.size(), "warning");
  }
  if (verdict.empty()) {
    if (const std::uint64_t rate = speed_.rate(now)) text += fmt::format(", {}/s", human_bytes(rate));
    if (const auto left = time_left_.left(now); left && *left >= 1)
      text += fmt::format(", about {} left", whole_seconds(*left));
  }
  return text;
}

std::string TtyView::step_line(const Step& step, double now, std::size_t columns) const {
  std::string text = " => ";
  const char* code = "";
  switch (step.state) {
    case State::running:
      break;
    case State::done:
      code = kBlue;
      break;
    case State::cached:
      text += step.note.empty() || step.note == kFromThisMachine ? "CACHED " : fmt::format("CACHED ({}) ", step.note);
      code = kBlue;
      break;
    case State::failed:
      text += "ERROR ";
      code = kRed;
      break;
    case State::cancelled:
      text += "CANCELED ";
      code = kYellow;
      break;
  }
  std::string time = human_seconds(step.state == State::running ? now - step.started : step.seconds);
  if (step.state == State::running) {
    if (const auto expected = time_left_.expected(step.number); expected && *expected >= 1)
      time += " of " + human_seconds(*expected);
  }
  const std::size_t text_columns = columns - std::min(columns, time.size() + 1);
  text = pad_right(fit_width(text + step.label, text_columns), text_columns) + " " + time;
  return painted(std::move(text), code);
}

std::string TtyView::note_line(std::string_view text, std::size_t columns) const {
  return painted(fit_width(fmt::format(" => => {}", text), columns), kDim);
}

std::vector<std::string> TtyView::details(const Step& step, double now, std::size_t columns) const {
  std::vector<std::string> lines;
  for (const std::string& line : step.last_lines) lines.push_back(note_line("# " + line, columns));
  if (!step.output.partial().empty()) lines.push_back(note_line("# " + step.output.partial(), columns));
  for (const Transfer& transfer : step.transfers) {
    std::string amount = transfer.total == 0 ? human_bytes(transfer.done)
                                             : fmt::format("{} {} / {}", bar(transfer.done, transfer.total),
                                                           human_bytes(transfer.done), human_bytes(transfer.total));
    if (const std::uint64_t rate = transfer.speed.rate(now)) amount += fmt::format(", {}/s", human_bytes(rate));
    lines.push_back(note_line(trim(fmt::format("{} {}", transfer.what, amount)), columns));
  }
  if (lines.size() > kMostDetails) lines.erase(lines.begin(), lines.end() - kMostDetails);
  return lines;
}

std::vector<std::string> TtyView::waiting_lines(std::size_t columns) const {
  std::map<StageView, std::vector<std::string>> waited_for;
  for (const auto& [stage, other] : waiting_) {
    std::vector<std::string>& names = waited_for[other];
    const std::string& name = stage.target.empty() || stage.target == other.target ? stage.stage : stage.target;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(printable(name));
  }
  std::vector<std::pair<StageView, std::vector<std::string>>> sorted(waited_for.begin(), waited_for.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(sorted.size(), kMostWaitedFor); ++i) {
    auto& [other, names] = sorted[i];
    const std::size_t count = names.size();
    if (count > kMostWaiting) {
      names.resize(kMostWaiting);
      names.push_back(fmt::format("and {} more", count - kMostWaiting));
    }
    StepView label;
    label.target = other.target;
    label.stage = other.stage;
    const std::string name(trim(step_label(label)));
    lines.push_back(painted(
        fit_width(fmt::format(" => {} {} for {}: {}", count, count == 1 ? "waits" : "wait", name, join(names, ", ")),
                  columns),
        kDim));
  }
  return lines;
}

std::string TtyView::painted(std::string line, const char* code) const {
  if (colour_ == Colour::no || *code == '\0' || line.empty()) return line;
  return code + std::move(line) + "\x1b[0m";
}

}  // namespace kiln
