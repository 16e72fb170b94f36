#include "builder/report/build_report.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::array<std::pair<BaselineKind, std::string_view>, 3> kBaselineKinds = {{
    {BaselineKind::dockerfile, "dockerfile"},
    {BaselineKind::reference, "reference"},
    {BaselineKind::recorded, "recorded"},
}};

// The names of an image's profiles as a sentence has them: "a", "a and b", "a, b and c".
std::string enumeration(const std::vector<std::string>& names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) result += i + 1 == names.size() ? " and " : ", ";
    result += names[i];
  }
  return result;
}

}  // namespace

std::string_view to_string(BaselineKind kind) {
  for (const auto& [value, name] : kBaselineKinds) {
    if (value == kind) return name;
  }
  return {};
}

BaselineKind parse_baseline_kind(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& [value, name] : kBaselineKinds) {
    if (name == text) return value;
    names.emplace_back(name);
  }
  throw Error(Category::usage,
              fmt::format("unknown kind of baseline '{}'{}", printable(text), suggestion(text, names)));
}

std::string ReportSharing::text() const {
  const std::string who = fmt::format("{} {}", name, enumeration(profiles));
  if (shared_layers == 0) return fmt::format("{} share no layer", who);
  const std::string size = human_bytes(shared_bytes);
  if (all()) return fmt::format("{} share all {}, {}", who, count_of(layers, "layer"), size);
  return fmt::format("{} share {} of {}, {}", who, shared_layers, count_of(layers, "layer"), size);
}

std::optional<double> percent_of(double part, double whole) {
  if (whole <= 0) return std::nullopt;
  return std::round(100.0 * part / whole * 100) / 100;
}

std::optional<double> reduction_of(std::uint64_t bytes, std::uint64_t baseline_bytes) {
  return percent_of(static_cast<double>(baseline_bytes) - static_cast<double>(bytes),
                    static_cast<double>(baseline_bytes));
}

ReportRates rates_of(const std::vector<ReportStep>& steps) {
  struct Sum {
    double count = 0, bytes = 0, seconds = 0;
    void add(const ReportStep& step) {
      count += 1;
      bytes += static_cast<double>(step.bytes);
      seconds += step.seconds;
    }
  } hits, all;
  for (const ReportStep& step : steps) {
    all.add(step);
    if (step.outcome == StepOutcome::hit) hits.add(step);
  }
  return {percent_of(hits.count, all.count), percent_of(hits.bytes, all.bytes), percent_of(hits.seconds, all.seconds)};
}

}  // namespace kiln
