#include "builder/report/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

double parse_percent(std::string_view text, std::string_view whole) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 100)) {
    throw Error(Category::usage, fmt::format("--fail-under '{}': expected a number from 0 to 100, got '{}'",
                                             printable(whole), printable(text)));
  }
  return value;
}

std::string shown(const ReportImage& image) {
  return image.profile.empty() ? image.name : image.name + " " + image.profile;
}

void blame(GateFailure& failure, const ReportLayer& layer) {
  failure.file = layer.file;
  failure.line = layer.line;
  failure.text = layer.text;
}

const ReportLayer* largest(const ReportImage& image) {
  const auto it = std::max_element(image.layers.begin(), image.layers.end(),
                                   [](const ReportLayer& a, const ReportLayer& b) { return a.bytes < b.bytes; });
  return it == image.layers.end() ? nullptr : &*it;
}

// The image that keeps the fleet from its reduction: the least reduced of those that have a baseline.
const ReportImage* least_reduced(const BuildReport& report) {
  const ReportImage* found = nullptr;
  for (const ReportImage& image : report.images) {
    if (image.reduction_pct && (found == nullptr || *image.reduction_pct < *found->reduction_pct)) found = &image;
  }
  return found;
}

void check_sizes(const BuildReport& report, std::vector<GateFailure>& failures) {
  for (const ReportImage& image : report.images) {
    if (!image.limit_bytes || image.compressed_bytes <= *image.limit_bytes) continue;
    GateFailure failure;
    failure.message = fmt::format("{} takes {} compressed, and its limits.size is {}", shown(image),
                                  human_bytes(image.compressed_bytes), human_bytes(*image.limit_bytes));
    if (const ReportLayer* layer = largest(image)) {
      blame(failure, *layer);
      failure.message += fmt::format("; its largest layer takes {}", human_bytes(layer->bytes));
    }
    failures.push_back(std::move(failure));
  }
}

void check_reduction(const BuildReport& report, double least, std::vector<GateFailure>& failures) {
  GateFailure failure;
  if (!report.fleet.reduction_pct) {
    failure.message = fmt::format(
        "a reduction of {:.4g} % is asked for, and no image has a baseline; 'kiln baseline' measures them", least);
    failures.push_back(std::move(failure));
    return;
  }
  if (*report.fleet.reduction_pct >= least) return;
  failure.message =
      fmt::format("stored bytes fell by {:.1f} %, and {:.4g} % are asked for", *report.fleet.reduction_pct, least);
  if (const ReportImage* image = least_reduced(report)) {
    failure.message += fmt::format("; {} fell least, by {:.1f} %", shown(*image), *image->reduction_pct);
    if (const ReportLayer* layer = largest(*image)) blame(failure, *layer);
  }
  failures.push_back(std::move(failure));
}

void check_cache(const BuildReport& report, double least, std::vector<GateFailure>& failures) {
  GateFailure failure;
  if (!report.rates.steps_pct) {
    failure.message = fmt::format("{:.4g} % of steps from the cache are asked for, and no step was looked up", least);
    failures.push_back(std::move(failure));
    return;
  }
  if (*report.rates.steps_pct >= least) return;
  failure.message =
      fmt::format("{:.1f} % of steps came from the cache, and {:.4g} % are asked for", *report.rates.steps_pct, least);
  // The first that missed: what comes after it in its image missed because of it.
  const auto missed = std::find_if(report.steps.begin(), report.steps.end(),
                                   [](const ReportStep& step) { return step.outcome != StepOutcome::hit; });
  if (missed != report.steps.end()) {
    failure.file = missed->file;
    failure.line = missed->line;
    failure.text = missed->text;
    if (!missed->reason.empty()) failure.message += fmt::format("; the first that missed: {}", missed->reason);
  }
  failures.push_back(std::move(failure));
}

}  // namespace

GateLimits parse_gate_limits(std::string_view text) {
  GateLimits limits;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    std::optional<double>* limit = name == "reduction" ? &limits.reduction_pct
                                   : name == "cache"   ? &limits.cache_pct
                                                       : nullptr;
    if (limit == nullptr) {
      throw Error(Category::usage, fmt::format("--fail-under '{}': unknown figure '{}'{}", printable(text),
                                               printable(name), suggestion(name, {"reduction", "cache"})));
    }
    if (equals == std::string_view::npos) {
      throw Error(Category::usage,
                  fmt::format("--fail-under '{}': '{}' needs a number, such as '{}=55'", printable(text), name, name));
    }
    if (*limit)
      throw Error(Category::usage, fmt::format("--fail-under '{}': '{}' is given twice", printable(text), name));
    *limit = parse_percent(part.substr(equals + 1), text);
  }
  return limits;
}

std::vector<GateFailure> failed_gates(const BuildReport& report, const GateLimits& limits) {
  std::vector<GateFailure> failures;
  check_sizes(report, failures);
  if (limits.reduction_pct) check_reduction(report, *limits.reduction_pct, failures);
  if (limits.cache_pct) check_cache(report, *limits.cache_pct, failures);
  return failures;
}

void refuse_failed_gates(const std::vector<GateFailure>& failures) {
  if (failures.empty()) return;
  const auto told = [](const GateFailure& failure) {
    const std::string place = shown_place(failure.file, failure.line);
    return place.empty() ? failure.message : fmt::format("{}: {}", place, failure.message);
  };
  Error error(Category::build, told(failures.front()));
  std::string rest;
  for (std::size_t i = 1; i < failures.size(); ++i) rest += (i > 1 ? "\n" : "") + told(failures[i]);
  error.set_detail(rest);
  throw error;
}

}  // namespace kiln
