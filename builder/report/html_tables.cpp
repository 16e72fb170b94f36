#include "builder/report/html_tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/html_text.hpp"
#include "base/text.hpp"
#include "builder/report/html_charts.hpp"
#include "builder/report/network_sums.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostLargest = 25;
constexpr std::size_t kMostMisses = 500;
constexpr std::size_t kFirstRows = 15;  // the others of a long table only where they are asked for

struct BarPart {
  std::string_view css_class;
  double pct = 0;
  std::string title;
};

// A bar of parts that are percentages of its length. Not by inline styles, which the page's policy forbids.
std::string html_bar(const std::vector<BarPart>& parts) {
  std::string result = "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">";
  double x = 0;
  for (const BarPart& part : parts) {
    if (part.pct <= 0) continue;
    result += fmt::format("<rect class=\"{}\" x=\"{:.2f}\" width=\"{:.2f}\" height=\"1\"><title>{}</title></rect>",
                          part.css_class, x, part.pct, html_text(part.title));
    x += part.pct;
  }
  return result + "</svg>";
}

std::string_view words_of(LayerUse use) {
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
std::string names_of(const std::vector<std::string>& names) {
  const std::string all = join(names, ", "), some = some_of(names);
  if (some == all) return html_text(all);
  return fmt::format("<details><summary>{}</summary>{}</details>", html_text(some), html_text(all));
}

std::string place_of(const ReportLayer& layer) {
  const std::string place = shown_place(layer.file, layer.line);
  return fmt::format("<code class=\"place\">{}</code><code>{}</code>",
                     html_text(place.empty() ? layer.digest.short_hex() : place), html_text(shown_layer(layer.text)));
}

std::string table_with(std::string_view caption, std::string_view columns) {
  return fmt::format("<table>\n<caption class=\"unseen\">{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n", caption,
                     columns);
}
constexpr std::string_view kTableEnd = "</tbody></table>\n";

// A table whose rows beyond the first few are folded away.
std::string folded_table(std::string_view caption, std::string_view columns, const std::vector<std::string>& rows) {
  const std::size_t first = rows.size() <= kFirstRows + 3 ? rows.size() : kFirstRows;
  std::string result = table_with(caption, columns);
  for (std::size_t i = 0; i < first; ++i) result += rows[i];
  result += kTableEnd;
  if (first == rows.size()) return result;
  result += fmt::format("<details class=\"rest\"><summary>{} more</summary>\n", rows.size() - first);
  result += table_with(fmt::format("{}: the rest", caption), columns);
  for (std::size_t i = first; i < rows.size(); ++i) result += rows[i];
  result += kTableEnd;
  return result + "</details>\n";
}

std::string row_of(const ImageGroup& group, bool has_reductions) {
  const ReportImage& image = group.image();
  std::string names;
  for (const ReportImage* member : group.members) {
    names += fmt::format("{}{} <code>{}</code>", names.empty() ? "" : ", ", html_text(member->profile),
                         html_text(member->digest.short_hex()));
  }
  std::vector<BarPart> parts;
  std::string words;
  for (const LayerUse use : {LayerUse::images, LayerUse::profiles, LayerUse::image}) {
    const auto found = group.bytes.find(use);
    const std::uint64_t bytes = found == group.bytes.end() ? 0 : found->second;
    const auto percent = percent_of(static_cast<double>(bytes), static_cast<double>(image.compressed_bytes));
    parts.push_back({css_class(use), percent.value_or(0), human_bytes(bytes)});
    if (bytes > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", human_bytes(bytes), words_of(use));
  }
  std::string fallen;
  if (has_reductions) {
    fallen = fmt::format("<td class=\"number\">{}</td>",
                         image.baseline
                             ? fmt::format("{}<span class=\"detail\">of {}</span>", shown_percent(image.reduction_pct),
                                           human_bytes(image.baseline->compressed_bytes))
                             : "");
  }
  return fmt::format(
      "<tr><th scope=\"row\"><b>{}</b><span class=\"detail\">{}</span>{}<span class=\"detail\">{}</span></th>"
      "<td class=\"number\">{}<span class=\"detail\">{} unpacked</span></td>{}</tr>\n",
      html_text(image.name), names, html_bar(parts), words, human_bytes(image.compressed_bytes),
      human_bytes(image.unpacked_bytes), fallen);
}

std::string row_of(const Reduction& reduction) {
  std::vector<BarPart> parts = {{"now", reduction.left_pct.value_or(0), "what is left"}};
  std::string words;
  for (const auto& [share, share_pct] : reduction.causes) {
    const double pct = share_pct.value_or(0);
    if (share.saved_bytes > 0) {
      parts.push_back({to_string(share.cause), pct, fmt::format("{} {:.1f} %", shown_cause(share.cause), pct)});
    }
    words += fmt::format("{}{} {:.1f}", words.empty() ? "" : ", ", shown_cause(share.cause), pct);
  }
  if (!reduction.rest.empty()) words += "; in the way: " + reduction.rest;
  return fmt::format(
      "<tr><th scope=\"row\"><b>{}</b>{}<span class=\"detail\">{}</span></th><td class=\"number\">{}<span "
      "class=\"detail\">of {}</span></td><td class=\"number\"><b>{}</b><span class=\"detail\">unpacked {}</span></td>"
      "</tr>\n",
      html_text(reduction.name), html_bar(parts), html_text(words), human_bytes(reduction.bytes),
      human_bytes(reduction.before_bytes), shown_percent(reduction.pct), shown_percent(reduction.unpacked_pct));
}

std::string row_of(const ReportStep& step) {
  return fmt::format(
      "<tr><th scope=\"row\"><code class=\"place\">{}</code><code>{}</code><span class=\"detail\">{}: {}{}</span></th>"
      "<td class=\"number\">{}<span class=\"detail\">{}</span></td></tr>\n",
      html_text(shown_place(step.file, step.line)), html_text(shown_instruction(step.text)), html_text(step.image),
      step.outcome == StepOutcome::failed ? "failed: " : "", html_text(shown_reason(step.reason)),
      human_seconds(step.seconds), human_bytes(step.bytes));
}

// All that one layer wastes.
struct LayerWaste {
  const ReportLayer* layer = nullptr;
  std::uint64_t bytes = 0;
  std::vector<const FleetWaste*> parts;
  std::vector<std::string> images;
};

std::vector<LayerWaste> waste_by_layer(const std::vector<FleetWaste>& waste) {
  std::vector<LayerWaste> result;
  for (const FleetWaste& entry : waste) {
    auto found = std::find_if(result.begin(), result.end(),
                              [&](const LayerWaste& layer) { return layer.layer->diff_id == entry.layer->diff_id; });
    if (found == result.end()) found = result.insert(result.end(), LayerWaste{entry.layer, 0, {}, {}});
    found->bytes += entry.waste.bytes;
    found->parts.push_back(&entry);
    for (const std::string& image : entry.images) {
      if (std::find(found->images.begin(), found->images.end(), image) == found->images.end())
        found->images.push_back(image);
    }
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const LayerWaste& a, const LayerWaste& b) { return a.bytes > b.bytes; });
  return result;
}

std::string part_of(const FleetWaste& entry) {
  const bool other = entry.because != entry.layer;
  return fmt::format(
      "<li><b>{}</b> {}{}: <code>/{}</code>{}<span class=\"detail\">{}</span></li>", human_bytes(entry.waste.bytes),
      to_string(entry.waste.kind),
      other
          ? fmt::format(" because of <code>{}</code>", html_text(shown_place(entry.because->file, entry.because->line)))
          : "",
      html_text(entry.waste.example), entry.waste.files > 1 ? fmt::format(" and {} more", entry.waste.files - 1) : "",
      html_text(entry.waste.advice));
}

}  // namespace

std::string html_heading(std::string_view id, std::string_view title, std::string_view text) {
  return fmt::format("<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n{2}", id,
                     title, text.empty() ? "" : fmt::format("<p>{}</p>\n", text));
}

std::string html_key(std::string_view css_class, std::string_view words) {
  return fmt::format("<span class=\"key\"><i class=\"{}\" aria-hidden=\"true\"></i>{}</span>", css_class, words);
}

std::string html_largest_layers(const ReportDocument& document) {
  if (document.layers.empty()) return "";
  std::string result = table_with("The largest layers", "<th>layer</th><th class=\"number\">compressed</th>");
  for (std::size_t i = 0; i < document.layers.size() && i < kMostLargest; ++i) {
    const DistinctLayer& entry = document.layers[i];
    result += fmt::format(
        "<tr><th scope=\"row\">{}<span class=\"detail\">{}</span></th><td class=\"number\">{}<span "
        "class=\"detail\">{}</span></td></tr>\n",
        place_of(*entry.layer), html_text(some_of(entry.images)), human_bytes(entry.layer->bytes),
        shown_percent(entry.pct));
  }
  result += kTableEnd;
  if (document.layers.size() > kMostLargest)
    result += fmt::format("<p>and {} more</p>\n", count_of(document.layers.size() - kMostLargest, "layer"));
  return result;
}

std::string html_comparison(const ReportDocument& document) {
  if (!document.comparison) return "";
  const ReportComparison& comparison = *document.comparison;
  const auto growth_of = [](std::uint64_t before, std::uint64_t now) {
    return shown_growth(static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before));
  };
  std::string result = html_heading(
      "comparison", "Compared with " + html_text(comparison.before),
      fmt::format("Stored {}, {} before: {}. A machine that has all images of then pulls {}. {} have the same layers.",
                  human_bytes(comparison.now_bytes), human_bytes(comparison.before_bytes),
                  growth_of(comparison.before_bytes, comparison.now_bytes), human_bytes(comparison.update_bytes),
                  count_of(comparison.same_images, "image")));
  std::vector<std::string> rows;
  for (const ImageChange& image : comparison.images) {
    std::string lines;
    for (const LineChange& line : image.lines) {
      lines += fmt::format("<li><b>{}</b> <code>{}</code> <code>{}</code>{}</li>", growth_of(line.before, line.now),
                           html_text(line.place), html_text(line.text),
                           line.was.empty() ? "" : fmt::format(", was <code>{}</code>", html_text(line.was)));
    }
    rows.push_back(fmt::format(
        "<tr><th scope=\"row\"><b>{}</b><span class=\"detail\">an update pulls {}</span><ul>{}</ul></th><td "
        "class=\"number\">{}<span class=\"detail\">{} before</span></td><td class=\"number\">{}</td></tr>\n",
        html_text(image.name), human_bytes(image.update_bytes), lines, image.now ? human_bytes(*image.now) : "gone",
        image.before ? human_bytes(*image.before) : "none", shown_growth(image.growth())));
  }
  if (!rows.empty()) {
    result += folded_table("Images that changed",
                           "<th>image</th><th class=\"number\">compressed</th><th class=\"number\">grew by</th>", rows);
  }
  rows.clear();
  for (const PackageGrowth& package : comparison.packages) {
    rows.push_back(
        fmt::format("<tr><th scope=\"row\"><b>{}</b><span class=\"detail\">{} &rarr; {}</span></th><td "
                    "class=\"number\">{}</td></tr>\n",
                    html_text(package.name), package.before.empty() ? "none" : html_text(join(package.before, ", ")),
                    package.now.empty() ? "gone" : html_text(join(package.now, ", ")), shown_growth(package.growth)));
  }
  if (!rows.empty())
    result += folded_table("Packages that changed, unpacked",
                           "<th>package</th><th class=\"number\">grew by, unpacked</th>", rows);
  if (comparison.unknown_layers > 0)
    result +=
        fmt::format("<p>Packages of {} that changed are not known here; those of their images are left out.</p>\n",
                    count_of(comparison.unknown_layers, "layer"));
  return result + "</section>\n";
}

std::string html_builds(const std::vector<BuildReport>& builds) {
  if (builds.size() < 2) return "";
  constexpr std::size_t kCommitDigits = 12;
  std::vector<std::string> rows;
  for (std::size_t i = builds.size(); i-- > 0;) {
    const BuildReport& build = builds[i];
    const std::string growth = i == 0 ? ""
                                      : shown_growth(static_cast<std::int64_t>(build.fleet.stored_bytes) -
                                                     static_cast<std::int64_t>(builds[i - 1].fleet.stored_bytes));
    rows.push_back(fmt::format(
        "<tr><th scope=\"row\">{}<span class=\"detail\"><code>{}</code></span></th><td class=\"number\">{}<span "
        "class=\"detail\">{}</span></td><td class=\"number\">{}<span class=\"detail\">{} hits</span></td></tr>\n",
        format_rfc3339(build.created),
        build.commit.empty() ? "no commit" : html_text(build.commit.substr(0, kCommitDigits)),
        human_bytes(build.fleet.stored_bytes), growth, human_seconds(build.seconds),
        shown_percent(build.rates.steps_pct)));
  }
  return folded_table("Builds and their commits",
                      "<th>build, commit</th><th class=\"number\">stored</th><th class=\"number\">took</th>", rows);
}

std::string html_images(const ReportDocument& document) {
  if (document.groups.empty()) return "";
  std::string result = html_heading("images", "Images",
                                    "Compressed bytes. Profiles with the same layers are one row." +
                                        html_key("shared", "in other images too") +
                                        html_key("profiles", "in its profiles") + html_key("own", "its own"));
  const bool has_reductions = !document.with_baseline.empty();
  std::vector<std::string> rows;
  for (const ImageGroup& group : document.groups) rows.push_back(row_of(group, has_reductions));
  result += folded_table("Images and what they share",
                         fmt::format("<th>image</th><th class=\"number\">compressed</th>{}",
                                     has_reductions ? "<th class=\"number\">reduction</th>" : ""),
                         rows);
  return result + "</section>\n";
}

std::string html_reductions(const ReportDocument& document) {
  std::vector<Reduction> all = document.reductions;
  std::erase_if(all, [](const Reduction& reduction) { return reduction.causes.empty(); });
  if (all.empty()) return "";
  std::string keys = "In percent of before, compressed." + html_key("now", "what is left");
  for (const auto& [share, pct] : all.front().causes)
    keys += html_key(to_string(share.cause), shown_cause(share.cause));
  std::string result = html_heading("reductions", "Why it is less", keys);
  result += table_with("Reductions and their causes",
                       "<th>image</th><th class=\"number\">now</th><th class=\"number\">reduction</th>");
  for (const Reduction& reduction : all) result += row_of(reduction);
  result += kTableEnd;
  return result + "</section>\n";
}

std::string html_misses(const ReportDocument& document) {
  const std::vector<const ReportStep*>& misses = document.steps.misses;
  if (misses.empty()) return "";
  std::string result = html_heading("misses", "Steps that were not in the cache");
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < misses.size() && i < kMostMisses; ++i) rows.push_back(row_of(*misses[i]));
  result += folded_table("Steps that were not in the cache", "<th>step</th><th class=\"number\">took</th>", rows);
  if (misses.size() > kMostMisses)
    result += fmt::format("<p>and {} more, in the report's JSON</p>\n", misses.size() - kMostMisses);
  return result + "</section>\n";
}

std::string html_network(const ReportDocument& document) {
  const std::vector<NetworkSum> sums = network_sums(document.report);
  if (sums.empty()) return "";
  std::vector<std::string> rows;
  for (const NetworkSum& sum : sums) {
    rows.push_back(fmt::format(
        "<tr><th scope=\"row\"><code class=\"place\">{}</code><code>{}</code></th><td class=\"number\">{}</td></tr>\n",
        html_text(shown_place(sum.step->file, sum.step->line)), html_text(shown_instruction(sum.step->text)),
        sum.words));
  }
  return html_heading("network", "Network of RUN",
                      network_summary(document.report) + ". Each download is in the report's JSON.") +
         folded_table("Network of RUN", "<th>step</th><th class=\"number\">fetched</th>", rows) + "</section>\n";
}

std::string html_waste(const ReportDocument& document) {
  if (!document.was_searched_for_waste) return "";
  std::string result = html_heading(
      "waste", "Waste",
      "Unpacked bytes that are of no use to a running image, by the layer that holds them, and what helps.");
  if (document.waste.empty()) return result + "<p>None.</p>\n</section>\n";
  result += table_with("Waste by layer", "<th>layer</th><th class=\"number\">bytes</th>");
  for (const LayerWaste& layer : waste_by_layer(document.waste)) {
    result += fmt::format("<tr><th scope=\"row\">{}<ul>", place_of(*layer.layer));
    for (const FleetWaste* part : layer.parts) result += part_of(*part);
    result += fmt::format(
        "</ul><span class=\"detail\">{}{}</span></th><td class=\"number\">{}<span class=\"detail\">{}"
        "</span></td></tr>\n",
        layer.images.size() > 1 ? "in " : "", names_of(layer.images), human_bytes(layer.bytes),
        count_of(layer.images.size(), "image"));
  }
  result += kTableEnd;
  return result + "</section>\n";
}

std::string html_policy(const ReportDocument& document) {
  const std::vector<PolicyFinding>& findings = document.report.policy;
  if (findings.empty()) return "";
  std::string result =
      html_heading("policy", "Policy", "What breaks the rules of the fleet, and what would satisfy them.");
  result += table_with("Policy", "<th>rule</th><th>level</th>");
  for (const PolicyFinding& finding : findings) {
    result += fmt::format(
        "<tr><th scope=\"row\">{} <code>{}</code><span class=\"detail\">{}</span><span class=\"detail\">{}</span></th>"
        "<td>{}</td></tr>\n",
        html_text(finding.rule), html_text(shown_place(finding.place.file, finding.place.line)),
        html_text(finding.message), html_text(finding.fix), to_string(finding.level));
  }
  result += kTableEnd;
  return result + "</section>\n";
}

}  // namespace kiln
