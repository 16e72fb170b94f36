#include "builder/cli/output/print_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"

namespace kiln::cli {

namespace {

// Of more targets that change only those with steps of their own to build are told step by step.
constexpr std::size_t kMostToldWhole = 12;
// Of more targets of a wave that do not change the number is told.
constexpr std::size_t kMostUnchanged = 8;

TextStyle style_of(Expectation expectation) {
  switch (expectation) {
    case Expectation::hit:
      return TextStyle::good;
    case Expectation::build:
      return TextStyle::bad;
    case Expectation::unknown:
      return TextStyle::dim;
  }
  return TextStyle::normal;
}

// An instruction as one line that leaves room for what is said of it.
std::string cut(const std::string& text) {
  constexpr std::size_t kLength = 60;
  std::string line;
  for (const char c : text) {
    if (c != ' ' || line.empty() || line.back() != ' ') line += c;
  }
  return line.size() > kLength ? line.substr(0, kLength) + "..." : line;
}

class PlanPrinter {
 public:
  explicit PlanPrinter(const Forecast& forecast) : forecast_(forecast), reasons_(forecast.reasons()) {
    for (const Forecast::Reason& reason : reasons_) {
      if (reason.steps > 1) numbers_.emplace(reason.text, numbers_.size() + 1);
    }
    const auto changed = std::count_if(forecast.targets.begin(), forecast.targets.end(),
                                       [](const ForeseenTarget& target) { return !target.is_unchanged(); });
    is_large_ = static_cast<std::size_t>(changed) > kMostToldWhole;
  }

  void print() const {
    for (const std::string& note : forecast_.notes) print_text(fmt::format("note: {}\n", printable(note)));
    std::size_t waves = 0;
    for (const ForeseenTarget& target : forecast_.targets) waves = std::max(waves, target.wave + 1);
    for (std::size_t wave = 0; wave < waves; ++wave) print_wave(wave);
    print_reasons();
    print_totals();
  }

 private:
  void print_wave(std::size_t wave) const {
    print_text(fmt::format("{}wave {}\n", wave ? "\n" : "", wave));
    std::vector<const ForeseenTarget*> targets;
    std::vector<std::string> unchanged;
    for (const ForeseenTarget& target : forecast_.targets) {
      if (target.wave != wave) continue;
      targets.push_back(&target);
      if (target.is_unchanged()) unchanged.push_back(target.name);
    }
    const bool sums_up = unchanged.size() > kMostUnchanged;
    for (const ForeseenTarget* target : targets) {
      if (!sums_up || !target->is_unchanged()) print_target(*target);
    }
    if (!sums_up) return;
    const std::size_t count = unchanged.size();
    unchanged.resize(kMostUnchanged);
    print_text(
        fmt::format("{}: unchanged\n", fmt::format("{} and {} more", join(unchanged, ", "), count - kMostUnchanged)));
  }

  // Its name and, where that names several platforms, its own.
  std::string title_of(const ForeseenTarget& target) const {
    const bool is_one_of_several = std::any_of(
        forecast_.targets.begin(), forecast_.targets.end(),
        [&](const ForeseenTarget& other) { return other.name == target.name && other.platform != target.platform; });
    return is_one_of_several ? fmt::format("{} ({})", target.name, target.platform) : target.name;
  }

  std::string summary_of(const ForeseenTarget& target) const {
    if (target.is_unchanged()) return ": unchanged";
    std::vector<std::string> parts;
    for (const auto& [expectation, what] :
         {std::pair(Expectation::hit, "hit"), std::pair(Expectation::build, "to build"),
          std::pair(Expectation::unknown, "unknown")}) {
      if (const std::size_t count = target.count(expectation)) parts.push_back(fmt::format("{} {}", count, what));
    }
    const double seconds = Forecast::seconds_of(target);
    const std::uint64_t bytes = Forecast::bytes_of(target);
    std::string text = ": " + join(parts, ", ");
    if (seconds > 0) text += fmt::format("; about {}", human_seconds(seconds));
    if (bytes > 0) text += fmt::format("{}{} to push", seconds > 0 ? ", " : "; ", human_bytes(bytes));
    return text;
  }

  void print_target(const ForeseenTarget& target) const {
    const std::string from = target.parents.empty() ? "" : " from " + join(target.parents, ", ");
    const bool is_listed = !target.is_unchanged() && (!is_large_ || has_own_reason(target));
    print_text(
        fmt::format("{}{}{}{}\n", title_of(target), from, summary_of(target), is_listed ? "" : marks_of(target)));
    for (const ForeseenProblem& problem : target.problems) {
      print_text(fmt::format("  {}: {}\n", problem.kind == ProblemKind::unreachable ? "cannot be told" : "would fail",
                             printable(problem.text)));
    }
    if (is_listed) print_steps(target);
  }

  // Whether a step is told a reason that no other target's step has.
  bool has_own_reason(const ForeseenTarget& target) const {
    return std::any_of(target.steps.begin(), target.steps.end(), [&](const ForeseenStep& step) {
      if (step.expectation != Expectation::build || step.reason.empty()) return false;
      const auto reason = std::find_if(reasons_.begin(), reasons_.end(),
                                       [&](const Forecast::Reason& known) { return known.text == step.reason; });
      return reason->targets.size() == 1;
    });
  }

  // The numbers of its reasons.
  std::string marks_of(const ForeseenTarget& target) const {
    std::string marks;
    for (const ForeseenStep& step : target.steps) {
      const auto number = numbers_.find(step.reason);
      if (step.expectation == Expectation::hit || number == numbers_.end()) continue;
      const std::string mark = fmt::format(" [{}]", number->second);
      if (marks.find(mark) == std::string::npos) marks += mark;
    }
    return marks;
  }

  std::string reason_of(const ForeseenStep& step) const {
    if (step.expectation == Expectation::hit || step.reason.empty()) return "";
    const auto number = numbers_.find(step.reason);
    return number == numbers_.end() ? " - " + step.reason : fmt::format(" [{}]", number->second);
  }

  void print_steps(const ForeseenTarget& target) const {
    TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::right, TextTable::Align::right,
                     TextTable::Align::left},
                    4);
    for (const ForeseenStep& step : target.steps) {
      const std::string place = step.line ? fmt::format("{}:{}", step.file, step.line) : step.file;
      table.add({{fmt::format("  {}", to_string(step.expectation)), style_of(step.expectation)},
                 {printable(place), TextStyle::dim},
                 {step.seconds ? human_seconds(*step.seconds) : "?"},
                 {step.bytes ? human_bytes(*step.bytes) : "?"},
                 {printable(cut(step.text) + reason_of(step))}});
    }
    print_table(table);
  }

  // Those that several steps have, by their numbers.
  void print_reasons() const {
    if (numbers_.empty()) return;
    print_text("\nwhy\n");
    for (const Forecast::Reason& reason : reasons_) {
      if (reason.steps < 2) continue;
      print_text(fmt::format("  [{}] {}: {} of {}\n", numbers_.at(reason.text), printable(reason.text),
                             count_of(reason.steps, "step"), count_of(reason.targets.size(), "target")));
    }
  }

  void print_totals() const {
    const Forecast::Totals totals = forecast_.totals();
    print_text(fmt::format("\n{} targets: {} steps hit, {} to build, {} unknown until then\n", forecast_.targets.size(),
                           totals.hits, totals.builds, totals.unknowns));
    if (totals.builds + totals.unknowns == 0) return;
    if (totals.without_record == totals.builds + totals.unknowns) {
      print_text("no earlier build here tells what these take\n");
      return;
    }
    print_text(fmt::format(
        "at most {} of work, {} in the longest chain, {} of layers to push{}\n", human_seconds(totals.seconds),
        human_seconds(totals.longest_seconds), human_bytes(totals.bytes),
        totals.without_record ? fmt::format("; no earlier build tells about {} of these steps", totals.without_record)
                              : ""));
  }

  const Forecast& forecast_;
  std::vector<Forecast::Reason> reasons_;
  std::map<std::string, std::size_t> numbers_;  // of reasons that several steps have
  bool is_large_ = false;
};

}  // namespace

void print_plan(const Forecast& forecast) { PlanPrinter(forecast).print(); }

}  // namespace kiln::cli
