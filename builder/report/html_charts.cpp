#include "builder/report/html_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/html_text.hpp"
#include "base/text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

constexpr double kWidth = 1000;

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
      fmt::format("<svg class=\"wide\" viewBox=\"-6 0 {} {}\" role=\"img\" aria-label=\"The last builds\">\n",
                  kWidth + 12, kHeight);
  result += svg_line("stored " + human_bytes(last.fleet.stored_bytes), bytes, 0, width, kHeight,
                     [](double value) { return human_bytes(static_cast<std::uint64_t>(value)); });
  result += svg_line("hits " + shown_percent(last.rates.steps_pct), hits, width + kGap, width, kHeight,
                     [](double value) { return shown_percent(value); });
  result += svg_line("wall time " + human_seconds(last.seconds), seconds, 2 * (width + kGap), width, kHeight,
                     [](double value) { return human_seconds(value); });
  return result + "</svg>\n";
}

}  // namespace kiln
