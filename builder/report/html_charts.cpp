#include "builder/report/html_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/html_text.hpp"
#include "base/text.hpp"
#include "builder/report/report_words.hpp"
#include "builder/report/treemap.hpp"

namespace kiln {

namespace {

constexpr double kWidth = 1000;
constexpr double kCharacterWidth = 6.2;  // of the page's 11 px labels, for deciding what fits

// As much of a text as fits.
std::string cut(std::string_view text, double width) {
  const auto room = static_cast<std::size_t>(std::max(0.0, width / kCharacterWidth));
  if (text.size() <= room) return html_text(text);
  return room < 4 ? "" : html_text(std::string(text.substr(0, room - 1)) + "~");
}

// A length of time that divides an axis into four to nine parts.
double tick_of(double seconds) {
  double tick = 0.001;
  for (const double factor : {2.0, 2.5, 2.0}) {
    if (seconds / tick <= 9) return tick;
    tick *= factor;
  }
  while (seconds / tick > 9) tick *= seconds / tick > 18 ? 5 : 2;
  return tick;
}

// A time on an axis, with as many decimals as tell it from the ticks beside it.
std::string axis_label(double seconds, double tick) {
  if (tick >= 1) return human_seconds(seconds);
  int decimals = 1;
  for (double scaled = tick * 10; decimals < 4 && std::abs(scaled - std::round(scaled)) > 1e-6; scaled *= 10)
    ++decimals;
  return fmt::format("{:.{}f} s", seconds, decimals);
}

// One line through values, with the last one named.
std::string svg_line(std::string_view title, const std::vector<std::optional<double>>& values, double x, double width,
                     double height, const std::function<std::string(double)>& shown) {
  double top = 0;
  for (const auto& value : values) top = std::max(top, value.value_or(0));
  std::string result = fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"14\">{}</text>\n", x, html_text(title));
  if (top <= 0) return result;
  const double step = values.size() > 1 ? width / static_cast<double>(values.size() - 1) : 0;
  const double base = height - 8;
  std::string points, dots;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    const double px = x + step * static_cast<double>(i);
    const double py = base - (base - 30) * *values[i] / top;
    points += fmt::format("{:.1f},{:.1f} ", px, py);
    dots += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}</title></circle>\n", px,
                        py, html_text(shown(*values[i])));
  }
  result += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{2:.1f}\" x2=\"{1:.1f}\" y2=\"{2:.1f}\"/>\n", x,
                        x + width, base);
  result += fmt::format("<polyline class=\"line\" points=\"{}\"/>\n{}", points, dots);
  return result;
}

}  // namespace

std::string_view css_class(LayerUse use) {
  switch (use) {
    case LayerUse::image:
      return "own";
    case LayerUse::profiles:
      return "profiles";
    case LayerUse::images:
      return "shared";
  }
  return {};
}

std::string svg_treemap(const ReportDocument& document) {
  constexpr double kHeight = 300;
  constexpr double kTextWidth = 120;  // below it there is room for a number only
  const std::vector<DistinctLayer>& layers = document.layers;
  std::vector<double> weights;
  for (const DistinctLayer& entry : layers) weights.push_back(static_cast<double>(entry.layer->bytes));
  if (weights.empty() || weights.front() <= 0) return "";
  const std::vector<Rect> rects = squarified(weights, {0, 0, kWidth, kHeight});
  std::string result =
      fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Stored bytes by layer\">\n", kWidth, kHeight);
  for (std::size_t i = 0; i < rects.size(); ++i) {
    const Rect& rect = rects[i];
    if (rect.width < 0.2 || rect.height < 0.2) continue;
    const DistinctLayer& entry = layers[i];
    const std::string place = shown_place(entry.layer->file, entry.layer->line);
    const std::string images = join(entry.images, ", ");
    result += fmt::format("<g data-layer=\"{}\"><title>{} compressed, {} unpacked\n{}\n{}\n{}</title>", i,
                          human_bytes(entry.layer->bytes), human_bytes(entry.layer->unpacked_bytes), html_text(place),
                          html_text(entry.layer->text), html_text(images));
    result += fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                          css_class(entry.use), rect.x + 0.5, rect.y + 0.5, std::max(0.1, rect.width - 1),
                          std::max(0.1, rect.height - 1));
    if (rect.height > 18) {
      result += fmt::format(
          "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", rect.x + 6, rect.y + 16,
          cut(rect.width < kTextWidth ? human_bytes(entry.layer->bytes)
                                      : human_bytes(entry.layer->bytes) + "  " + shown_layer(entry.layer->text),
              rect.width - 12));
    }
    if (rect.height > 34 && rect.width >= kTextWidth) {
      result +=
          fmt::format("<text class=\"label faint\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", rect.x + 6, rect.y + 31,
                      cut(place + "  " + (entry.images.size() > 1 ? count_of(entry.images.size(), "image") : images),
                          rect.width - 12));
    }
    result += "</g>\n";
  }
  return result + "</svg>\n";
}

std::string svg_timeline(const BuildReport& report) {
  struct Bar {
    const ReportStep* step;
    std::size_t lane;
  };
  std::vector<const ReportStep*> steps;
  double end = 0;
  for (const ReportStep& step : report.steps) {
    if (!step.started || !step.ended) continue;
    steps.push_back(&step);
    end = std::max(end, *step.ended);
  }
  if (steps.empty()) return "";
  end = std::max(end, 0.001);
  std::stable_sort(steps.begin(), steps.end(),
                   [](const ReportStep* a, const ReportStep* b) { return *a->started < *b->started; });
  std::vector<double> lanes;  // when each is free again
  std::vector<Bar> bars;
  for (const ReportStep* step : steps) {
    auto lane = std::find_if(lanes.begin(), lanes.end(), [&](double free) { return free <= *step->started; });
    if (lane == lanes.end()) lane = lanes.insert(lanes.end(), 0);
    *lane = std::max(*step->ended, *step->started + end / kWidth * 3);
    bars.push_back({step, static_cast<std::size_t>(lane - lanes.begin())});
  }
  constexpr double kLane = 24;
  const double bottom = kLane * static_cast<double>(lanes.size());
  std::string result = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Steps along the time\">\n",
                                   kWidth, bottom + 22);
  const double tick = tick_of(end);
  for (double at = 0; at <= end; at += tick) {
    const double x = at / end * kWidth;
    result += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"0\" x2=\"{0:.1f}\" y2=\"{1:.1f}\"/>", x, bottom);
    result += fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 3, bottom + 16,
                          axis_label(at, tick));
  }
  for (const Bar& bar : bars) {
    const double x = *bar.step->started / end * kWidth;
    const double width = std::max(2.0, (*bar.step->ended - *bar.step->started) / end * kWidth);
    const double y = kLane * static_cast<double>(bar.lane);
    result += fmt::format(
        "<g><title>{}\n{}\n{}\n{}: {}</title><rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"/>",
        html_text(bar.step->image), html_text(shown_place(bar.step->file, bar.step->line)), html_text(bar.step->text),
        human_seconds(*bar.step->ended - *bar.step->started),
        html_text(bar.step->outcome == StepOutcome::hit ? "hit, from " + bar.step->from : bar.step->reason),
        to_string(bar.step->outcome), x, y + 2, width, kLane - 4);
    result += fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n", x + 5, y + 16,
                          cut(bar.step->image + "  " + shown_instruction(bar.step->text), width - 10));
  }
  return result + "</svg>\n";
}

std::string svg_trend(const std::vector<BuildReport>& builds) {
  if (builds.size() < 2) return "";
  constexpr double kHeight = 120, kGap = 40;
  const double width = (kWidth - 2 * kGap) / 3;
  std::vector<std::optional<double>> bytes, hits, seconds;
  for (const BuildReport& build : builds) {
    bytes.push_back(static_cast<double>(build.fleet.stored_bytes));
    hits.push_back(build.rates.steps_pct);
    seconds.push_back(build.seconds);
  }
  const BuildReport& last = builds.back();
  std::string result =
      fmt::format("<svg viewBox=\"-6 0 {} {}\" role=\"img\" aria-label=\"The last builds\">\n", kWidth + 12, kHeight);
  result += svg_line("stored " + human_bytes(last.fleet.stored_bytes), bytes, 0, width, kHeight,
                     [](double value) { return human_bytes(static_cast<std::uint64_t>(value)); });
  result += svg_line("hits " + shown_percent(last.rates.steps_pct), hits, width + kGap, width, kHeight,
                     [](double value) { return shown_percent(value); });
  result += svg_line("wall time " + human_seconds(last.seconds), seconds, 2 * (width + kGap), width, kHeight,
                     [](double value) { return human_seconds(value); });
  return result + "</svg>\n";
}

}  // namespace kiln
