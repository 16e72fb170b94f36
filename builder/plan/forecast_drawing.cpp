// Forecasts as drawings: DOT for Graphviz, and SVG by a layered layout of our own.
//
// The layers of the SVG are the waves, from left to right. Inside of a wave stand frames, one for each image, with a
// box for each of its targets. Frames are ordered by the mean height of their parents (one sweep from left to right,
// ties by name), which for a fleet, a forest with few cross edges, leaves next to no crossings; a general crossing
// minimiser would gain nothing.
#include "builder/plan/forecast_drawing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/count_of.hpp"
#include "base/html_text.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr int kBoxWidth = 260;
constexpr int kBoxHeight = 50;
constexpr int kColumnGap = 90;
constexpr int kGap = 14;
constexpr int kFrame = 8;   // from a frame to its boxes
constexpr int kTitle = 20;  // the line above the boxes of a frame
constexpr int kTop = 64;
constexpr std::size_t kNameCharacters = 34;  // of what fits into a box
constexpr std::size_t kTextCharacters = 42;

struct Colours {
  const char* fill;
  const char* line;
};

Colours colours_of(const ForeseenTarget& target) {
  if (target.has_problem(ProblemKind::would_fail)) return {"#f8d0cc", "#b3261e"};
  if (target.is_unchanged()) return {"#d7f0d9", "#2e7d32"};
  if (target.count(Expectation::build) > 0) return {"#ffe6c7", "#c25700"};
  return {"#e6e6ea", "#6b6b76"};
}

// Bytes that executing this target's own steps would make, or that its hits have.
std::uint64_t bytes_of(const ForeseenTarget& target) {
  std::uint64_t bytes = 0;
  for (const ForeseenStep& step : target.steps) bytes += step.bytes.value_or(0);
  return bytes;
}

std::string state_of(const ForeseenTarget& target) {
  if (target.has_problem(ProblemKind::would_fail)) return "would fail";
  if (target.has_problem(ProblemKind::unreachable)) return "cannot be told";
  std::string text = target.is_unchanged()
                         ? "unchanged: " + count_of(target.steps.size(), "hit")
                         : fmt::format("{}, {} to build", count_of(target.count(Expectation::hit), "hit"),
                                       target.count(Expectation::build));
  if (const std::size_t unknown = target.count(Expectation::unknown)) text += fmt::format(", {} unknown", unknown);
  return text;
}

std::string figures_of(const ForeseenTarget& target) {
  std::string text = human_bytes(bytes_of(target));
  if (const double seconds = Forecast::seconds_of(target); seconds > 0) text += ", about " + human_seconds(seconds);
  return text;
}

std::string cut(const std::string& text, std::size_t characters) {
  return text.size() <= characters ? text : text.substr(0, characters - 3) + "...";
}

std::string escape_dot(std::string_view text) {
  std::string result;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

struct ImageFrame {
  std::string image;
  std::vector<const ForeseenTarget*> targets;
  int x = 0, y = 0;
  double wish = 0;  // where its parents' middles are

  bool has_title() const { return targets.size() > 1; }
  int height() const {
    const int boxes = static_cast<int>(targets.size());
    return 2 * kFrame + (has_title() ? kTitle : 0) + boxes * kBoxHeight + (boxes - 1) * kGap / 2;
  }
  int box_y(std::size_t number) const {
    return y + kFrame + (has_title() ? kTitle : 0) + static_cast<int>(number) * (kBoxHeight + kGap / 2);
  }
};

struct Layout {
  std::vector<std::vector<ImageFrame>> waves;
  std::map<std::string, std::pair<int, int>> places;  // of boxes, by target: the middle of the left side
  int width = 0, height = 0;
};

std::vector<std::vector<ImageFrame>> frames_of(const Forecast& forecast) {
  std::vector<std::vector<ImageFrame>> waves;
  for (const ForeseenTarget& target : forecast.targets) {
    if (target.wave >= waves.size()) waves.resize(target.wave + 1);
    auto& frames = waves[target.wave];
    auto it = std::find_if(frames.begin(), frames.end(),
                           [&](const ImageFrame& frame) { return frame.image == target.image; });
    if (it == frames.end()) {
      frames.push_back({});
      it = std::prev(frames.end());
      it->image = target.image;
    }
    it->targets.push_back(&target);
  }
  return waves;
}

Layout lay_out(const Forecast& forecast) {
  Layout layout;
  layout.waves = frames_of(forecast);
  int x = kGap;
  for (auto& frames : layout.waves) {
    for (ImageFrame& frame : frames) {
      double sum = 0;
      std::size_t count = 0;
      for (const ForeseenTarget* target : frame.targets) {
        for (const std::string& parent : target->parents) {
          const auto it = layout.places.find(parent);
          if (it == layout.places.end()) continue;
          sum += it->second.second;
          ++count;
        }
      }
      frame.wish = count ? sum / static_cast<double>(count) : 0;
    }
    std::stable_sort(frames.begin(), frames.end(), [](const ImageFrame& a, const ImageFrame& b) {
      return a.wish != b.wish ? a.wish < b.wish : a.image < b.image;
    });
    int y = kTop;
    for (ImageFrame& frame : frames) {
      frame.x = x;
      frame.y = y;
      for (std::size_t i = 0; i < frame.targets.size(); ++i) {
        layout.places[frame.targets[i]->name] = {x + kFrame, frame.box_y(i) + kBoxHeight / 2};
      }
      y += frame.height() + kGap;
    }
    layout.height = std::max(layout.height, y);
    x += kBoxWidth + 2 * kFrame + kColumnGap;
  }
  layout.width = std::max(x - kColumnGap + kGap, 640);
  layout.height += kGap;
  return layout;
}

void draw_frame(std::string& svg, const ImageFrame& frame) {
  if (frame.has_title()) {
    svg += fmt::format(
        R"(<rect x="{}" y="{}" width="{}" height="{}" rx="8" class="frame"/><text x="{}" y="{}" class="title">{}</text>)"
        "\n",
        frame.x, frame.y, kBoxWidth + 2 * kFrame, frame.height(), frame.x + kFrame + 4, frame.y + kFrame + 11,
        html_text(cut(fmt::format("{}: {} profiles", frame.image, frame.targets.size()), kNameCharacters)));
  }
  for (std::size_t i = 0; i < frame.targets.size(); ++i) {
    const ForeseenTarget& target = *frame.targets[i];
    const Colours colours = colours_of(target);
    const int x = frame.x + kFrame, y = frame.box_y(i);
    std::string hint = target.name + "\n";
    for (const ForeseenProblem& problem : target.problems) hint += problem.text + "\n";
    for (const ForeseenStep& step : target.steps) {
      hint += fmt::format("{}: {}{}{}\n", to_string(step.expectation), step.text, step.reason.empty() ? "" : " - ",
                          step.reason);
    }
    svg += fmt::format(
        R"(<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="5" fill="{}" stroke="{}" stroke-width="{}"/>)"
        R"(<text x="{}" y="{}" class="name">{}</text><text x="{}" y="{}">{}</text><text x="{}" y="{}">{}</text></g>)"
        "\n",
        html_text(hint), x, y, kBoxWidth, kBoxHeight, colours.fill, colours.line, target.wanted ? 2 : 1, x + 9, y + 16,
        html_text(cut(target.name, kNameCharacters)), x + 9, y + 30, html_text(cut(state_of(target), kTextCharacters)),
        x + 9, y + 43, html_text(figures_of(target)));
  }
}

}  // namespace

std::string forecast_dot(const Forecast& forecast) {
  std::string dot =
      "digraph fleet {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", "
      "fontsize=10];\n";
  std::map<std::size_t, std::vector<const ForeseenTarget*>> waves;
  for (const ForeseenTarget& target : forecast.targets) waves[target.wave].push_back(&target);
  for (const auto& [wave, targets] : waves) {
    dot += fmt::format("  subgraph wave{} {{\n    rank=same;\n", wave);
    for (const ForeseenTarget* target : targets) {
      const Colours colours = colours_of(*target);
      dot += fmt::format("    \"{}\" [label=\"{}\\n{}\\n{}\", fillcolor=\"{}\", color=\"{}\"];\n",
                         escape_dot(target->name), escape_dot(target->name), escape_dot(state_of(*target)),
                         escape_dot(figures_of(*target)), colours.fill, colours.line);
    }
    dot += "  }\n";
  }
  for (const ForeseenTarget& target : forecast.targets) {
    for (const std::string& parent : target.parents)
      dot += fmt::format("  \"{}\" -> \"{}\";\n", escape_dot(parent), escape_dot(target.name));
  }
  return dot + "}\n";
}

std::string forecast_svg(const Forecast& forecast) {
  const Layout layout = lay_out(forecast);
  const Forecast::Totals totals = forecast.totals();
  std::string svg = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img">
<style>text{{font:11px Helvetica,Arial,sans-serif;fill:#222}} .name{{font-weight:bold;font-size:12px}} .title{{fill:#555}} .wave{{font-size:13px;fill:#555}} .frame{{fill:#f6f6f9;stroke:#c9c9d2}} .edge{{fill:none;stroke:#8a8a96;stroke-width:1.3}}</style>
<rect width="{0}" height="{1}" fill="#ffffff"/>
<text x="{2}" y="22" class="name">{3} targets: {4} steps hit, {5} to build, {6} unknown until then; about {7} of work and {8}</text>
)",
      layout.width, layout.height, kGap, forecast.targets.size(), totals.hits, totals.builds, totals.unknowns,
      human_seconds(totals.seconds), human_bytes(totals.bytes));
  for (std::size_t wave = 0; wave < layout.waves.size(); ++wave) {
    if (layout.waves[wave].empty()) continue;
    svg += fmt::format(R"(<text x="{}" y="52" class="wave">wave {}</text>)"
                       "\n",
                       layout.waves[wave].front().x + kFrame, wave);
  }
  for (const ForeseenTarget& target : forecast.targets) {
    const auto [x, y] = layout.places.at(target.name);
    for (const std::string& parent : target.parents) {
      const auto [left, parent_y] = layout.places.at(parent);
      const int begin = left + kBoxWidth;
      const int bend = std::min(kColumnGap, x - begin) / 2;
      svg += fmt::format(R"(<path class="edge" d="M{} {} C{} {} {} {} {} {}"/>)"
                         "\n",
                         begin, parent_y, begin + bend, parent_y, x - bend, y, x, y);
    }
  }
  for (const auto& frames : layout.waves) {
    for (const ImageFrame& frame : frames) draw_frame(svg, frame);
  }
  return svg + "</svg>\n";
}

}  // namespace kiln
