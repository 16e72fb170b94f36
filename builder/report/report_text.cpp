#include "builder/report/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/report/network_sums.hpp"
#include "builder/report/report_words.hpp"
#include "builder/report/text_table.hpp"

namespace kiln {

namespace {

using Align = TextTable::Align;

constexpr std::size_t kIndent = 2;
constexpr std::size_t kLeastWidth = 60;
// Below these widths the table of images leaves columns out.
constexpr std::size_t kWidthForUnpacked = 88;
constexpr std::size_t kWidthForBaseline = 72;

// Keeps the end of a text, where a path says most.
std::string keep_end(const std::string& text, std::size_t columns) {
  constexpr std::string_view kCut = "...";
  if (display_width(text) <= columns) return text;
  std::string_view rest = text;
  while (display_width(rest) + kCut.size() > columns) rest.remove_prefix(next_character(rest).length);
  return std::string(kCut) + std::string(rest);
}

TextStyle verdict_style(bool met) { return met ? TextStyle::good : TextStyle::bad; }

class TextWriter {
 public:
  TextWriter(const ReportDocument& document, const ReportTextOptions& options)
      : document_(document),
        report_(document.report),
        options_(options),
        width_(std::max(options.width, kLeastWidth)),
        is_short_(options.most_images && document.report.images.size() > *options.most_images) {}

  std::string write() {
    images();
    reductions();
    layers();
    waste();
    steps();
    network();
    wire();
    fetched();
    targets();
    policy();
    return std::move(out_);
  }

 private:
  void heading(std::string_view title, std::string_view rest = "") {
    if (!out_.empty()) out_ += '\n';
    out_ += styled(title, TextStyle::bold, options_.colour);
    const std::size_t indent = title.size() + kIndent;
    const std::vector<std::string> lines = wrapped(rest, width_ - indent);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      out_ += i == 0 ? fmt::format("{:{}}{}", "", kIndent, lines[i]) : fmt::format("\n{:{}}{}", "", indent, lines[i]);
    }
    out_ += '\n';
  }
  std::string place(const std::string& file, int line) const { return keep_end(shown_place(file, line), width_ / 3); }
  void line(std::string_view text) {
    for (const std::string& part : wrapped(text, width_ - kIndent)) out_ += fmt::format("{:{}}{}\n", "", kIndent, part);
  }
  void table(const TextTable& rows) { out_ += rows.render(width_, kIndent, options_.colour); }

  // Those that a step was executed for, as many as there is room for; their number.
  std::size_t changed_images(std::vector<const ReportImage*>& shown) const {
    std::set<std::string> targets;
    for (const ReportStep* step : document_.steps.misses) {
      targets.insert(step->image);
      targets.insert(step->shared_with.begin(), step->shared_with.end());
    }
    std::size_t changed = 0;
    for (const ReportImage& image : report_.images) {
      if (!targets.count(image.profile.empty() ? image.name : image.name + "-" + image.profile)) continue;
      if (++changed <= *options_.most_images) shown.push_back(&image);
    }
    return changed;
  }

  void images() {
    if (report_.images.empty()) return;
    std::vector<const ReportImage*> shown;
    if (is_short_) {
      const std::size_t changed = changed_images(shown);
      heading("Images", fmt::format("{} of {} changed; 'kiln report' lists all", changed, report_.images.size()));
    } else {
      for (const ReportImage& image : report_.images) shown.push_back(&image);
      heading("Images");
    }
    if (!shown.empty()) image_table(shown);
    sharing();
  }

  void image_table(const std::vector<const ReportImage*>& shown) {
    const bool with_unpacked = width_ >= kWidthForUnpacked;
    const bool with_baseline = width_ >= kWidthForBaseline;
    std::vector<Align> columns(with_unpacked ? 7 : with_baseline ? 6 : 5, Align::right);
    columns[0] = Align::left;
    TextTable rows(std::move(columns), 0);
    std::vector<TextCell> titles = {{""},       {"compressed"}, {"unpacked"}, {"unique"},
                                    {"shared"}, {"baseline"},   {"reduction"}};
    for (TextCell& title : titles) title.style = TextStyle::dim;
    const auto add = [&](std::vector<TextCell> row) {
      if (!with_baseline) row.erase(row.begin() + 5);
      if (!with_unpacked) row.erase(row.begin() + 2);
      rows.add(std::move(row));
    };
    add(titles);
    for (const ReportImage* entry : shown) {
      const ReportImage& image = *entry;
      const std::optional<double>& least = report_.targets.reduction_pct_min;
      const bool is_judged = image.reduction_pct && least;
      add({{shown_name(image)},
           {human_bytes(image.compressed_bytes)},
           {human_bytes(image.unpacked_bytes)},
           {human_bytes(image.unique_bytes)},
           {human_bytes(image.shared_bytes)},
           {image.baseline ? human_bytes(image.baseline->compressed_bytes) : "-"},
           {shown_percent(image.reduction_pct),
            is_judged ? verdict_style(*image.reduction_pct >= *least) : TextStyle::normal}});
    }
    table(rows);
  }

  void sharing() {
    const ReportFleet& fleet = report_.fleet;
    std::vector<std::string> lines;
    if (fleet.images > 1) {
      lines.push_back(fmt::format("{} with {}, of which {} distinct: {} stored instead of {}",
                                  count_of(fleet.images, "image"), count_of(fleet.layers, "layer"), fleet.stored_layers,
                                  human_bytes(fleet.stored_bytes), human_bytes(fleet.compressed_bytes)));
    }
    for (const ReportSharing& entry : report_.sharing) {
      if (!is_short_) lines.push_back(printable(entry.text()));
    }
    for (const ReportImage* image : document_.with_baseline) {
      if (is_short_) break;
      lines.push_back(fmt::format("baseline of {}: {} ({}), {}", printable(image->name),
                                  printable(image->baseline->reference), to_string(image->baseline->kind),
                                  printable(image->baseline->date.substr(0, 10))));
    }
    if (!lines.empty()) out_ += '\n';
    for (const std::string& text : lines) line(text);
  }

  // Where the layers were not looked into, the table of images has said it all.
  void reductions() {
    for (const Reduction& reduction : document_.reductions) {
      if (reduction.causes.empty() && reduction.rest.empty()) continue;
      heading(
          "Reduction",
          fmt::format(
              "{}: {} less, {} before and {} now{}", reduction.name, shown_percent(reduction.pct),
              human_bytes(reduction.before_bytes), human_bytes(reduction.bytes),
              reduction.unpacked_pct ? fmt::format("; {} less unpacked", shown_percent(reduction.unpacked_pct)) : ""));
      if (!reduction.rest.empty()) line("what stands in the way: " + reduction.rest);
      if (reduction.causes.empty()) continue;
      TextTable rows({Align::left, Align::right, Align::right, Align::right}, 0);
      rows.add({{"why", TextStyle::dim},
                {"of before", TextStyle::dim},
                {"unpacked before", TextStyle::dim},
                {"now", TextStyle::dim}});
      for (const auto& [share, pct] : reduction.causes) {
        const bool has_bytes = share.cause != Cause::compression;
        rows.add({{std::string(shown_cause(share.cause))},
                  {shown_percent(pct)},
                  {has_bytes ? human_bytes(share.unpacked_before) : ""},
                  {has_bytes ? human_bytes(share.unpacked_after) : ""}});
      }
      table(rows);
    }
  }

  void waste() {
    const std::vector<FleetWaste>& all = document_.waste;
    if (all.empty()) return;
    heading("Waste", fmt::format("{} unpacked that are of no use", human_bytes(document_.waste_bytes)));
    TextTable rows({Align::right, Align::left, Align::left, Align::left}, 3);
    const std::size_t shown = std::min(all.size(), options_.most_layers);
    for (std::size_t i = 0; i < shown; ++i) {
      rows.add({{human_bytes(all[i].waste.bytes)},
                {std::string(to_string(all[i].waste.kind))},
                {place(all[i].layer->file, all[i].layer->line), TextStyle::dim},
                {"/" + printable(all[i].waste.example)}});
    }
    table(rows);
    if (shown < all.size()) line(fmt::format("and {} more", all.size() - shown));
  }

  void policy() {
    if (report_.policy.empty()) return;
    heading("Policy", count_of(report_.policy.size(), "finding"));
    for (const PolicyFinding& finding : report_.policy)
      line(fmt::format("{}: {}", to_string(finding.level), finding_line(finding)));
  }

  void layers() {
    const std::vector<DistinctLayer>& all = document_.layers;
    if (all.empty() || (is_short_ && document_.steps.misses.empty())) return;
    heading("Layers", "largest first");
    TextTable rows({Align::right, Align::right, Align::right, Align::left, Align::left}, 4);
    const std::size_t shown = std::min(all.size(), options_.most_layers);
    std::uint64_t rest = document_.layer_bytes;
    for (std::size_t i = 0; i < shown; ++i) {
      const ReportLayer& layer = *all[i].layer;
      rest -= layer.bytes;
      std::string where = place(layer.file, layer.line);
      if (where.empty()) where = layer.digest.short_hex();
      rows.add({{human_bytes(layer.bytes)},
                {shown_percent(all[i].pct)},
                {count_of(all[i].images.size(), "image")},
                {std::move(where), TextStyle::dim},
                {shown_layer(layer.text)}});
    }
    table(rows);
    if (shown < all.size()) line(fmt::format("and {} more, {}", all.size() - shown, human_bytes(rest)));
  }

  void steps() {
    if (report_.steps.empty()) return;
    const StepSums& sums = document_.steps;
    std::string summary = fmt::format("{}: {} hit", report_.steps.size(), sums.hits);
    if (!sums.hits_by_source.empty()) {
      std::vector<std::string> parts;
      for (const auto& [from, count] : sums.hits_by_source) {
        parts.push_back(fmt::format("{} {}", count, from.empty() ? "recorded" : printable(from)));
      }
      summary += fmt::format(" ({})", join(parts, ", "));
    }
    summary += fmt::format(", {} built", sums.built);
    if (sums.failed > 0) summary += fmt::format(", {} failed", sums.failed);
    heading("Steps", summary);
    const std::vector<const ReportStep*> shown = shown_misses();
    std::size_t place_width = 0;
    for (const ReportStep* step : shown)
      place_width = std::max(place_width, display_width(place(step->file, step->line)));
    for (const ReportStep* step : shown) miss(*step, place_width);
    if (shown.size() < sums.misses.size())
      line(fmt::format("and {} more that took less time", sums.misses.size() - shown.size()));
  }

  // One line for each step that fetched something.
  void network() {
    const std::string summary = network_summary(report_);
    if (summary.empty()) return;
    heading("Network of RUN", summary);
    TextTable rows({Align::left, Align::left, Align::left}, 2);
    std::vector<NetworkSum> sums = network_sums(report_);
    const std::size_t all = sums.size();
    if (is_short_ && all > *options_.most_images) sums.resize(*options_.most_images);
    for (const NetworkSum& sum : sums) {
      rows.add(
          {{sum.words}, {place(sum.step->file, sum.step->line), TextStyle::dim}, {shown_instruction(sum.step->text)}});
    }
    table(rows);
    if (sums.size() < all) line(fmt::format("and {} more", all - sums.size()));
  }

  // All, or of a short report failures and those that took longest, in the order of the run.
  std::vector<const ReportStep*> shown_misses() const {
    std::vector<const ReportStep*> shown = document_.steps.misses;
    if (!is_short_ || shown.size() <= *options_.most_images) return shown;
    const auto cost = [](const ReportStep* step) {
      return std::pair(step->outcome == StepOutcome::failed, step->seconds);
    };
    std::stable_sort(shown.begin(), shown.end(), [&](const auto* a, const auto* b) { return cost(a) > cost(b); });
    shown.resize(*options_.most_images);
    std::sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) { return a < b; });
    return shown;
  }

  void miss(const ReportStep& step, std::size_t place_width) {
    const bool failed = step.outcome == StepOutcome::failed;
    TextTable row({Align::left, Align::right, Align::right, Align::left, Align::left}, 4);
    std::string text = shown_instruction(step.text);
    if (!step.image.empty()) text = fmt::format("[{}] {}", printable(step.image), text);
    row.add({{failed ? "failed" : "built ", failed ? TextStyle::bad : TextStyle::normal},
             {fmt::format("{:>7}", human_bytes(step.bytes))},
             {fmt::format("{:>6}", human_seconds(step.seconds))},
             {pad_right(place(step.file, step.line), place_width), TextStyle::dim},
             {std::move(text)}});
    table(row);
    constexpr std::size_t kReasonIndent = kIndent + 8;
    for (const std::string& part : wrapped(shown_reason(step.reason), width_ - kReasonIndent)) {
      out_ += fmt::format("{:{}}{}\n", "", kReasonIndent, styled(part, TextStyle::dim, options_.colour));
    }
  }

  void wire() {
    heading("Wire", fmt::format("pushed {}, pulled {}, mounted {}", human_bytes(report_.wire.pushed_bytes),
                                human_bytes(report_.wire.pulled_bytes), human_bytes(report_.wire.mounted_bytes)));
  }

  // One line for each step that needed something.
  void fetched() {
    if (document_.fetched.empty()) return;
    heading("Fetched", fmt::format("{} from shared caches", human_bytes(document_.fetched_bytes)));
    for (const FetchSum& sum : document_.fetched) {
      const std::string counts =
          fmt::format("{:>9}  {} layers, {} file indexes for ", human_bytes(sum.bytes), sum.layers, sum.others);
      const std::size_t room = width_ > kIndent + counts.size() ? width_ - kIndent - counts.size() : 1;
      out_ += fmt::format("{:{}}{}{}\n", "", kIndent, counts,
                          printable(sum.step).substr(0, std::max<std::size_t>(room, 20)));
    }
  }

  void targets() {
    const bool has_any = std::any_of(document_.figures.begin(), document_.figures.end(),
                                     [](const Figure& figure) { return !figure.target.empty(); });
    heading(has_any ? "Targets" : "Figures");
    TextTable rows({Align::left, Align::right, Align::left, Align::left}, 3);
    for (const Figure& figure : document_.figures) {
      rows.add({{figure.name},
                {figure.value},
                {figure.target, TextStyle::dim},
                {figure.target.empty() ? ""
                 : !figure.met         ? "not measured"
                 : *figure.met         ? "met"
                                       : "missed",
                 figure.met ? verdict_style(*figure.met) : TextStyle::dim}});
    }
    table(rows);
  }

  const ReportDocument& document_;
  const BuildReport& report_;
  const ReportTextOptions& options_;
  std::size_t width_;
  bool is_short_;  // a fleet of which only what changed is told
  std::string out_;
};

}  // namespace

std::string report_text(const ReportDocument& document, const ReportTextOptions& options) {
  return TextWriter(document, options).write();
}

}  // namespace kiln
