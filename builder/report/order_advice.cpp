#include "builder/report/order_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

constexpr std::size_t kShownStepBytes = 60;

std::string target_key(const BuildRecordTarget& target) {
  return fmt::format("{}\n{}\n{}", target.name, target.name.empty() ? join(target.names, " ") : "", target.platform);
}

StepLine line_of(const BuildRecordStep& step) { return {step.file, step.line, step.text}; }

std::string shown_step(const StepLine& line) {
  return fmt::format("{} ({})", shortened(shown_instruction(line.text), kShownStepBytes),
                     shown_place(line.file, line.line));
}

// What changed above others: a line, or a value that is set above it.
struct ChangedLine {
  StepLine line;
  std::string value;  // "ARG VERSION"; empty: the line itself

  auto operator<=>(const ChangedLine&) const = default;
};

// What stands below a cause and was moved by it.
struct Moved {
  std::map<StepLine, std::uint64_t> lines;      // and the bytes of their layers
  std::map<oci::Digest, std::uint64_t> layers;  // each once
  std::set<std::size_t> updates;                // in which it happened
  StepLine newest;                              // the cause as it stands today
};

class TargetHistory {
 public:
  TargetHistory(const BuildRecordTarget& newest, const LayerFacts& facts) : newest_(newest), facts_(facts) {
    for (const BuildRecordStep& step : newest.steps) {
      const bool is_published = std::any_of(step.diff_ids.begin(), step.diff_ids.end(),
                                            [&](const oci::Digest& layer) { return facts.published.contains(layer); });
      if (is_published) stages_.insert(step.stage);
    }
  }

  // Builds of the target, oldest first.
  void add(const BuildRecordTarget& build) {
    if (before_ != nullptr) compare(*before_, build);
    before_ = &build;
  }

  void finish(std::vector<Advice>& advice) const {
    for (const auto& [cause, moved] : moved_) {
      if (!stands_today(cause)) continue;
      advice.push_back(advice_of(cause, moved));
    }
  }

 private:
  using Steps = std::map<std::tuple<std::string, std::string, std::size_t>, const BuildRecordStep*>;

  // By stage and text, of equal ones by which of them it is: lines move when others are inserted.
  static Steps steps_of(const BuildRecordTarget& build) {
    Steps steps;
    std::map<std::pair<std::string, std::string>, std::size_t> count;
    for (const BuildRecordStep& step : build.steps)
      steps.emplace(std::tuple(step.stage, step.text, count[{step.stage, step.text}]++), &step);
    return steps;
  }

  void compare(const BuildRecordTarget& before, const BuildRecordTarget& now) {
    const Steps earlier = steps_of(before);
    std::map<std::pair<std::string, std::string>, std::size_t> count;
    // Of each stage the first line that is another; nullptr where what it is built on is.
    std::map<std::string, const BuildRecordStep*> causes;
    bool any = false;
    for (const BuildRecordStep& step : now.steps) {
      const auto known = earlier.find({step.stage, step.text, count[{step.stage, step.text}]++});
      const BuildRecordStep* old = known == earlier.end() ? nullptr : known->second;
      if (step.diff_ids.empty() || (old != nullptr && old->diff_ids == step.diff_ids)) continue;
      if (!any) ++updates_;
      any = true;
      const auto [cause, is_first] = causes.try_emplace(step.stage, is_moved_by_base(step) ? nullptr : &step);
      if (old == nullptr || cause->second == nullptr) continue;
      if (!is_first) {
        note({line_of(*cause->second), ""}, *old, step);
      } else if (const std::string value = changed_value(step); !value.empty()) {
        note({line_of(step), value}, *old, step);
      }
    }
  }

  static bool is_moved_by_base(const BuildRecordStep& step) {
    return std::any_of(step.differences.begin(), step.differences.end(), [](const InputDifference& difference) {
      const auto type = input_type(difference.name);
      return type == InputType::parent_layer || type == InputType::base_image;
    });
  }

  // "ARG VERSION" where such values are all that changed.
  static std::string changed_value(const BuildRecordStep& step) {
    const auto is_value = [](const InputDifference& difference) {
      const auto type = input_type(difference.name);
      return type == InputType::arg || type == InputType::env;
    };
    const bool all =
        !step.differences.empty() && std::all_of(step.differences.begin(), step.differences.end(), is_value);
    return all ? step.differences.front().name : "";
  }

  void note(const ChangedLine& cause, const BuildRecordStep& old, const BuildRecordStep& step) {
    if (!stages_.contains(step.stage) || old.diff_ids.size() != step.diff_ids.size()) return;
    std::map<oci::Digest, std::uint64_t> layers;
    for (std::size_t i = 0; i < step.diff_ids.size(); ++i) {
      const oci::Digest& diff_id = step.diff_ids[i];
      if (std::find(old.diff_ids.begin(), old.diff_ids.end(), diff_id) != old.diff_ids.end()) continue;
      const auto bytes = facts_.compressed_bytes(diff_id);
      if (!bytes || !facts_.is_same_content(old.diff_ids[i], diff_id).value_or(false)) return;
      layers.emplace(diff_id, *bytes);
    }
    // The text of a COPY says what it is, an edited RUN is another line.
    Moved& moved = moved_[{{cause.line.file, 0, cause.line.text}, cause.value}];
    std::uint64_t& of_line = moved.lines[{step.file, 0, step.text}];
    for (const auto& [diff_id, bytes] : layers) {
      if (moved.layers.emplace(diff_id, bytes).second) of_line += bytes;
    }
    moved.updates.insert(updates_);
  }

  const BuildRecordStep* find_today(const StepLine& line) const {
    const auto found = std::find_if(newest_.steps.begin(), newest_.steps.end(), [&](const BuildRecordStep& step) {
      return step.file == line.file && step.text == line.text;
    });
    return found == newest_.steps.end() ? nullptr : &*found;
  }

  // Whether the cause still stands above what it moved.
  bool stands_today(const ChangedLine& cause) const {
    const BuildRecordStep* line = find_today(cause.line);
    if (line == nullptr) return false;
    const Moved& moved = moved_.at(cause);
    return std::all_of(moved.lines.begin(), moved.lines.end(), [&](const auto& below) {
      const BuildRecordStep* step = find_today(below.first);
      return step != nullptr && (step == line ? !cause.value.empty() : step > line);
    });
  }

  Advice advice_of(const ChangedLine& cause, const Moved& moved) const {
    Advice advice;
    advice.kind = Advice::Kind::reorder;
    for (const auto& [diff_id, bytes] : moved.layers) advice.fleet_bytes += signed_bytes(bytes);
    advice.update_bytes = advice.fleet_bytes / static_cast<std::int64_t>(std::max<std::size_t>(updates_, 1));
    const StepLine line = line_of(*find_today(cause.line));
    const BuildRecordStep* last = nullptr;
    for (const auto& [below, bytes] : moved.lines) last = std::max(last, find_today(below));
    const std::string what =
        cause.value.empty() ? shown_step(line) : fmt::format("{}, which {} sees,", cause.value, shown_step(line));
    advice.title =
        fmt::format("{} changed in {} of {} of {}, and moved {} that came to the same files", what,
                    moved.updates.size(), count_of(updates_, "update"),
                    newest_.name.empty() ? newest_.file : newest_.name, count_of(moved.lines.size(), "line"));
    if (cause.value.empty()) {
      advice.changes.push_back(
          {line,
           fmt::format(
               "move it below line {}, or that one above it; what that line reads is to be copied by itself before",
               last->line),
           "", "", ""});
    }
    for (const auto& [below, bytes] : moved.lines) {
      const BuildRecordStep& step = *find_today(below);
      advice.changes.push_back(
          {line_of(step),
           cause.value.empty() ? fmt::format("stands below line {} and came to the same files each time", line.line)
                               : fmt::format("set {} below this line, or change it less often", cause.value),
           "", "", ""});
    }
    return advice;
  }

  const BuildRecordTarget& newest_;
  const LayerFacts& facts_;
  const BuildRecordTarget* before_ = nullptr;
  std::set<std::string> stages_;
  std::size_t updates_ = 0;
  std::map<ChangedLine, Moved> moved_;
};

}  // namespace

std::vector<Advice> order_advice(const std::vector<BuildRecord>& records,
                                 const std::vector<const BuildRecordTarget*>& newest, const LayerFacts& facts) {
  std::map<std::string, TargetHistory> histories;
  for (const BuildRecordTarget* target : newest) histories.try_emplace(target_key(*target), *target, facts);
  for (const BuildRecord& record : records) {
    if (record.failed) continue;
    for (const BuildRecordTarget& target : record.targets) {
      const auto history = histories.find(target_key(target));
      if (history != histories.end() && !target.steps.empty()) history->second.add(target);
    }
  }
  std::vector<Advice> advice;
  for (const auto& [key, history] : histories) history.finish(advice);
  // Two profiles of an image have the same lines.
  std::map<std::vector<StepLine>, std::size_t> known;
  std::vector<Advice> of_lines;
  for (Advice& found : advice) {
    std::vector<StepLine> lines;
    for (const AdvisedChange& change : found.changes) lines.push_back(change.at);
    const auto [place, is_new] = known.try_emplace(std::move(lines), of_lines.size());
    if (is_new) {
      of_lines.push_back(std::move(found));
    } else if (found.update_bytes > of_lines[place->second].update_bytes) {
      of_lines[place->second] = std::move(found);
    }
  }
  return of_lines;
}

}  // namespace kiln
