#include "builder/cli/progress/time_left.hpp"

#include <algorithm>

namespace kiln {

void TimeLeft::expect(const std::vector<ExpectedStage>& stages) {
  for (const ExpectedStage& expected : stages) {
    numbers_[expected.stage] = stages_.size();
    Stage& stage = stages_.emplace_back();
    stage.needs = expected.needs;
    for (const auto& [line, seconds] : expected.seconds) stage.steps[line].seconds = seconds;
  }
}

void TimeLeft::step_started(const StepView& view, double now) {
  const auto number = numbers_.find({view.target, view.stage, view.platform});
  if (number == numbers_.end()) return;
  const auto step = stages_[number->second].steps.find(view.line);
  if (step == stages_[number->second].steps.end()) return;
  step->second.state = State::looked_up;
  step->second.started = now;
  running_[view.number] = {number->second, view.line};
}

void TimeLeft::step_missed(int number) {
  Step* step = find(number);
  if (!step) return;
  step->state = State::executed;
  stages_[running_[number].first].is_new = true;
}

void TimeLeft::step_ended(int number) {
  if (Step* step = find(number)) step->state = State::ended;
  running_.erase(number);
}

TimeLeft::Step* TimeLeft::find(int number) {
  const auto place = running_.find(number);
  return place == running_.end() ? nullptr : &stages_[place->second.first].steps[place->second.second];
}

const TimeLeft::Step* TimeLeft::find(int number) const {
  const auto place = running_.find(number);
  return place == running_.end() ? nullptr : &stages_[place->second.first].steps.at(place->second.second);
}

std::optional<double> TimeLeft::expected(int number) const {
  const Step* step = find(number);
  if (!step || step->state != State::executed) return std::nullopt;
  return step->seconds;
}

double TimeLeft::own_seconds(const Stage& stage, bool is_new, double now) {
  double seconds = 0;
  for (const auto& [line, step] : stage.steps) {
    if (step.state == State::executed) seconds += std::max(0.0, step.seconds - (now - step.started));
    if (step.state == State::pending && is_new) seconds += step.seconds;
  }
  return seconds;
}

const TimeLeft::End& TimeLeft::end_of(std::size_t number, double now, std::map<std::size_t, End>& known,
                                      double& work) const {
  const auto [it, is_first] = known.try_emplace(number);
  if (!is_first) return it->second;
  const Stage& stage = stages_[number];
  End end{stage.is_new, 0};
  for (const std::size_t need : stage.needs) {
    const End& below = end_of(need, now, known, work);
    end.is_new |= below.is_new;
    end.seconds = std::max(end.seconds, below.seconds);
  }
  const double own = own_seconds(stage, end.is_new, now);
  work += own;
  end.seconds += own;
  return it->second = end;
}

std::optional<double> TimeLeft::left(double now) const {
  std::map<std::size_t, End> known;
  double work = 0;
  double longest = 0;
  bool is_new = false;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const End& end = end_of(i, now, known, work);
    is_new |= end.is_new;
    longest = std::max(longest, end.seconds);
  }
  if (!is_new) return std::nullopt;
  return std::max(longest, work / static_cast<double>(std::max<std::size_t>(1, parallel_)));
}

}  // namespace kiln
