#include "builder/report/report_html.hpp"

#include <fmt/format.h>

#include "base/html_text.hpp"
#include "base/text.hpp"
#include "builder/report/html_charts.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace embedded {
std::string_view report_style();  // report.css
}

namespace {

class Page {
 public:
  Page(const ReportDocument& document, const std::vector<BuildReport>& earlier,
       const std::vector<GateFailure>& failures, const FindFileIndex& index_of)
      : document_(document), report_(document.report), earlier_(earlier), failures_(failures), index_of_(index_of) {}

  std::string write() {
    out_ = fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>kiln "
        "report</title>\n<style>\n{}</style>\n"
        "</head>\n<body>\n<main>\n",
        embedded::report_style());
    out_ += fmt::format("<h1>{}</h1>\n<p>{}, kiln {}</p>\n", count_of(report_.images.size(), "image"),
                        format_rfc3339(report_.created), html_text(report_.kiln_version));
    for (const GateFailure& failure : failures_) {
      out_ += fmt::format("<div class=\"gate\">{}<br><code>{} {}</code></div>\n", html_text(failure.message),
                          html_text(shown_place(failure.file, failure.line)), html_text(failure.text));
    }
    figures();
    treemap();
    out_ += html_files(document_, index_of_);
    reductions();
    images();
    timeline();
    trend();
    misses();
    waste();
    return out_ + "</main>\n</body>\n</html>\n";
  }

 private:
  void figures() {
    out_ += "<div class=\"figures\">\n";
    const auto tile = [&](std::string_view name, std::string_view value, std::string_view rest,
                          std::string_view verdict) {
      out_ += fmt::format("<div class=\"figure\"><b>{}</b><div>{}<br><span class=\"{}\">{}</span></div></div>\n",
                          html_text(value), html_text(name), verdict, html_text(rest));
    };
    for (const Figure& figure : document_.figures) {
      tile(figure.name, figure.value, figure.target.empty() ? figure.note : figure.target,
           !figure.met   ? ""
           : *figure.met ? "met"
                         : "missed");
    }
    const ReportFleet& fleet = report_.fleet;
    tile("stored", human_bytes(fleet.stored_bytes), "instead of " + human_bytes(fleet.compressed_bytes), "");
    tile("pushed", human_bytes(report_.wire.pushed_bytes),
         fmt::format("pulled {}, mounted {}", human_bytes(report_.wire.pulled_bytes),
                     human_bytes(report_.wire.mounted_bytes)),
         "");
    out_ += "</div>\n";
  }

  void picture(std::string_view title, std::string_view text, const std::string& svg) {
    if (svg.empty()) return;
    out_ += fmt::format("<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\">{}</div>\n", title, text, svg);
  }

  void treemap() {
    picture("Where the bytes are",
            "Each layer once, by compressed bytes.<span class=\"key shared\"></span>in several images"
            "<span class=\"key profiles\"></span>in profiles of one<span class=\"key own\"></span>in one",
            svg_treemap(document_));
  }
  void timeline() {
    picture("The build",
            "<span class=\"key hit\"></span>from the cache<span class=\"key built\"></span>executed<span class=\"key "
            "failed\"></span>failed",
            svg_timeline(report_));
  }
  void trend() {
    std::vector<BuildReport> builds = earlier_;
    builds.push_back(report_);
    picture("The last builds", "Of the same images, the newest on the right.", svg_trend(builds));
  }

  // Profiles with the same layers are one row.
  void images() {
    if (report_.images.empty()) return;
    out_ +=
        "<h2>Images</h2>\n<div class=\"scroll\"><table>\n<tr><th>image</th><th>what it shares</th><th "
        "class=\"number\">compressed</th>"
        "<th class=\"number\">unpacked</th><th class=\"number\">before</th><th class=\"number\">reduction</th></tr>\n";
    for (const ImageGroup& group : document_.groups) {
      const ReportImage& image = group.image();
      std::string names;
      for (const ReportImage* member : group.members) {
        names += fmt::format("{}{} <code>{}</code>", names.empty() ? "" : ", ", html_text(member->profile),
                             html_text(member->digest.short_hex()));
      }
      std::string parts, words;
      for (const LayerUse use : {LayerUse::images, LayerUse::profiles, LayerUse::image}) {
        const auto found = group.bytes.find(use);
        const std::uint64_t bytes = found == group.bytes.end() ? 0 : found->second;
        const auto percent = percent_of(static_cast<double>(bytes), static_cast<double>(image.compressed_bytes));
        parts += fmt::format("<i class=\"{}\" style=\"width:{:.2f}%\" title=\"{}\"></i>", css_class(use),
                             percent.value_or(0), human_bytes(bytes));
        if (bytes > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", human_bytes(bytes), words_of(use));
      }
      out_ += fmt::format(
          "<tr><td>{}<br><span class=\"small\">{}</span></td><td><div class=\"bar\">{}</div><span "
          "class=\"small\">{}</span></td><td "
          "class=\"number\">{}</td>"
          "<td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
          html_text(image.name), names, parts, words, human_bytes(image.compressed_bytes),
          human_bytes(image.unpacked_bytes), image.baseline ? human_bytes(image.baseline->compressed_bytes) : "-",
          shown_percent(image.reduction_pct));
    }
    out_ += "</table></div>\n";
  }

  void reductions() {
    std::vector<Reduction> all = document_.reductions;
    std::erase_if(all, [](const Reduction& reduction) { return reduction.causes.empty(); });
    if (all.empty()) return;
    out_ += "<h2>Why it is less</h2>\n<p>In percent of before, compressed.<span class=\"key now\"></span>what is left";
    for (const auto& [share, pct] : all.front().causes) {
      out_ += fmt::format("<span class=\"key {}\"></span>{}", to_string(share.cause), shown_cause(share.cause));
    }
    out_ += "</p>\n<div class=\"scroll\"><table>\n";
    for (const Reduction& reduction : all) {
      std::string parts = fmt::format("<i class=\"now\" style=\"width:{:.2f}%\"></i>", reduction.left_pct.value_or(0));
      std::string words;
      for (const auto& [share, share_pct] : reduction.causes) {
        const double pct = share_pct.value_or(0);
        if (share.saved_bytes > 0) {
          parts += fmt::format("<i class=\"{}\" style=\"width:{:.2f}%\" title=\"{} {:.1f} %\"></i>",
                               to_string(share.cause), pct, shown_cause(share.cause), pct);
        }
        words += fmt::format("{}{} {:.1f}", words.empty() ? "" : ", ", shown_cause(share.cause), pct);
      }
      if (!reduction.rest.empty()) words += "; in the way: " + reduction.rest;
      out_ += fmt::format(
          "<tr><td>{}<br><span class=\"small\">{} of {}</span></td><td class=\"causes\"><div class=\"bar "
          "tall\">{}</div>"
          "<span class=\"small\">{}</span></td><td class=\"number\"><b>{}</b><br><span class=\"small\">unpacked "
          "{}</span></td></tr>\n",
          html_text(reduction.name), human_bytes(reduction.bytes), human_bytes(reduction.before_bytes), parts,
          html_text(words), shown_percent(reduction.pct), shown_percent(reduction.unpacked_pct));
    }
    out_ += "</table></div>\n";
  }

  void misses() {
    if (document_.steps.misses.empty()) return;
    out_ +=
        "<h2>Steps that were not in the cache</h2>\n<div "
        "class=\"scroll\"><table>\n<tr><th>image</th><th>line</th><th>step</th><th>why</th>"
        "<th class=\"number\">took</th><th class=\"number\">bytes</th></tr>\n";
    for (const ReportStep* missed : document_.steps.misses) {
      const ReportStep& step = *missed;
      out_ += fmt::format(
          "<tr><td>{}</td><td class=\"place\"><code>{}</code></td><td><code>{}</code></td><td class=\"why\">{}{}</td>"
          "<td class=\"number\">{}</td>"
          "<td class=\"number\">{}</td></tr>\n",
          html_text(step.image), html_text(shown_place(step.file, step.line)), html_text(shown_instruction(step.text)),
          step.outcome == StepOutcome::failed ? "failed: " : "", html_text(shown_reason(step.reason)),
          human_seconds(step.seconds), human_bytes(step.bytes));
    }
    out_ += "</table></div>\n";
  }

  void waste() {
    if (!document_.was_searched_for_waste) return;
    out_ +=
        "<h2>Waste</h2>\n<p>Unpacked bytes that are of no use to a running image, and the line that could save "
        "them.</p>\n";
    if (document_.waste.empty()) {
      out_ += "<p>None.</p>\n";
      return;
    }
    out_ +=
        "<div class=\"scroll\"><table>\n<tr><th class=\"number\">bytes</th><th>kind</th><th>line</th><th>because "
        "of</th><th>largest</th>"
        "<th>in</th><th>what helps</th></tr>\n";
    for (const FleetWaste& entry : document_.waste) {
      const bool other = entry.because != entry.layer;
      out_ += fmt::format(
          "<tr><td class=\"number\">{}</td><td>{}</td><td "
          "class=\"place\"><code>{}<br>{}</code></td><td><code>{}</code></td><td><code>/{}</code> {}</td>"
          "<td>{}</td><td class=\"why\">{}</td></tr>\n",
          human_bytes(entry.waste.bytes), to_string(entry.waste.kind),
          html_text(shown_place(entry.layer->file, entry.layer->line)), html_text(shown_layer(entry.layer->text)),
          other ? html_text(shown_place(entry.because->file, entry.because->line)) : "", html_text(entry.waste.example),
          entry.waste.files > 1 ? fmt::format("and {} more", entry.waste.files - 1) : "", names_of(entry.images),
          html_text(entry.waste.advice));
    }
    out_ += "</table></div>\n";
  }

  static std::string_view words_of(LayerUse use) {
    switch (use) {
      case LayerUse::image:
        return "its own";
      case LayerUse::profiles:
        return "in its profiles";
      case LayerUse::images:
        return "in other images too";
    }
    return {};
  }

  // All of many names only where they are asked for.
  static std::string names_of(const std::vector<std::string>& names) {
    const std::string all = join(names, ", "), some = some_of(names);
    if (some == all) return html_text(all);
    return fmt::format("<details><summary>{}</summary>{}</details>", html_text(some), html_text(all));
  }

  const ReportDocument& document_;
  const BuildReport& report_;
  const std::vector<BuildReport>& earlier_;
  const std::vector<GateFailure>& failures_;
  const FindFileIndex& index_of_;
  std::string out_;
};

}  // namespace

std::string report_html(const ReportDocument& document, const std::vector<BuildReport>& earlier,
                        const std::vector<GateFailure>& failures, const FindFileIndex& index_of) {
  return Page(document, earlier, failures, index_of).write();
}

}  // namespace kiln
