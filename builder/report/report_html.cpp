#include "builder/report/report_html.hpp"

#include <fmt/format.h>

#include "base/base64.hpp"
#include "base/count_of.hpp"
#include "base/html_text.hpp"
#include "base/text.hpp"
#include "builder/report/html_charts.hpp"
#include "builder/report/html_tables.hpp"
#include "builder/report/page_data.hpp"
#include "builder/report/report_words.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace embedded {
// The files of builder/report/page.
std::string_view page_style();
std::string_view page_data_script();
std::string_view page_tree_script();
std::string_view page_treemap_script();
std::string_view page_explorer_script();
std::string_view page_sharing_script();
std::string_view page_timeline_script();
std::string_view page_main_script();
}  // namespace embedded

namespace {

// The explorer's frame, which the page's script fills. Hidden until it does.
constexpr std::string_view kExplorer = R"html(<div id="explorer" hidden>
<form class="tools" role="search">
<label>Search <input id="explorer-search" type="search" placeholder="path, package, image or line"></label>
<label>Profile <select id="explorer-profile"><option value="">all</option></select></label>
<label>Of at least <select id="explorer-least"><option value="0">any size</option><option value="1e5">100 kB</option><option value="1e6">1 MB</option><option value="1e7">10 MB</option><option value="1e8">100 MB</option></select></label>
<label>Bytes <select id="explorer-measure"><option value="bytes">compressed</option><option value="unpacked">unpacked</option></select></label>
</form>
<nav aria-label="Where in the images"><ol id="explorer-path"></ol></nav>
<p id="explorer-status" role="status"></p>
<div class="explorer">
<div id="explorer-map" role="group"></div>
<div class="list" tabindex="0" role="region" aria-label="The same as a list"><table><caption class="unseen">The same as a list</caption><thead><tr><th>name</th><th class="number">bytes</th></tr></thead><tbody id="explorer-list"></tbody></table></div>
</div>
<p class="hint">A box opens where it is chosen. Arrow keys go from box to box, Enter opens, Backspace goes up.</p>
</div>
)html";

// Parts that the page's script fills, and shows where there is something to say.
constexpr std::string_view kSharing = R"html(<section id="sharing" aria-labelledby="sharing-title" hidden>
<h2 id="sharing-title">What images share</h2>
<p>How much of the bytes of the image of a row the image of a column has too: <span class="key"><i class="share-1"></i>up to 20 %</span><span class="key"><i class="share-2"></i>40</span><span class="key"><i class="share-3"></i>60</span><span class="key"><i class="share-4"></i>80</span><span class="key"><i class="share-5"></i>100 %</span><span class="key"><i class="share-self"></i>itself</span></p>
<p id="matrix-text" role="status">Arrow keys, or pointing, tell the numbers.</p>
<div class="scroll"><svg id="matrix" tabindex="0" role="img" aria-label="Which bytes of one image another has too" aria-describedby="matrix-text"></svg></div>
</section>
<section id="versions" aria-labelledby="versions-title" hidden>
<h2 id="versions-title">Packages in several versions</h2>
<p>Unpacked bytes of all of them, each layer once. One version in all images would be one copy.</p>
<table><caption class="unseen">Packages in several versions</caption><thead><tr><th>package</th><th class="number">bytes</th></tr></thead><tbody id="versions-list"></tbody></table>
</section>
)html";
constexpr std::string_view kTimeline = R"html(<section id="build" aria-labelledby="build-title" hidden>
<h2 id="build-title">The build</h2>
<p>The first lane is the critical path: what the length of the run was made of.<span class="key"><i class="hit"></i>from the cache</span><span class="key"><i class="built"></i>executed</span><span class="key"><i class="failed"></i>failed</span></p>
<div class="scroll" tabindex="0" role="region" aria-label="Steps along the time"><svg id="timeline" role="img" aria-label="Steps along the time; the critical path follows as a table"></svg></div>
<h3>The critical path</h3>
<table><caption class="unseen">The critical path</caption><thead><tr><th>step</th><th class="number">took</th></tr></thead><tbody id="critical-list"></tbody></table>
</section>
)html";

// For a Content-Security-Policy: 'sha256-...' of an inline script or style.
std::string source_hash(std::string_view text) {
  const oci::Digest digest = oci::sha256_of(text);
  std::string bytes;
  for (std::size_t i = 0; i < digest.hex().size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(digest.hex().substr(i, 2)), nullptr, 16));
  return "'sha256-" + base64_encoded(bytes) + "'";
}

std::string page_script() {
  std::string script = "'use strict';\n";
  for (const std::string_view part :
       {embedded::page_data_script(), embedded::page_tree_script(), embedded::page_treemap_script(),
        embedded::page_explorer_script(), embedded::page_sharing_script(), embedded::page_timeline_script(),
        embedded::page_main_script()}) {
    script += part;
  }
  return script;
}

class Page {
 public:
  Page(const ReportDocument& document, const std::vector<BuildReport>& earlier,
       const std::vector<GateFailure>& failures, const LayerSources& sources)
      : document_(document), report_(document.report), earlier_(earlier), failures_(failures), sources_(sources) {}

  std::string write() {
    const std::string script = page_script();
    const std::string style(embedded::page_style());
    std::string body = figures();
    body += html_policy(document_);
    body += html_comparison(document_);
    body += explorer();
    body += html_reductions(document_);
    body += html_images(document_);
    body += kSharing;
    body += kTimeline;
    body += trend();
    body += html_misses(document_);
    body += html_network(document_);
    body += html_waste(document_);
    const std::string data = deflated_base64(page_data_json(document_, sources_));
    // Nothing is loaded from anywhere, no script runs but the page's own, and no style applies but its own.
    return fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; "
        "base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>{}</style>\n</head>\n"
        "<body>\n{}<main id=\"main\">\n{}</main>\n<script type=\"application/octet-stream\" id=\"page-data\">{}"
        "</script>\n<script>{}</script>\n</body>\n</html>\n",
        source_hash(script), source_hash(style), title(), style, header(body), body, data, script);
  }

 private:
  std::string title() const {
    return fmt::format("{}, {} stored", count_of(report_.images.size(), "image"),
                       human_bytes(report_.fleet.stored_bytes));
  }

  // With links to those parts that the page has.
  std::string header(std::string_view body) const {
    std::string links;
    for (const auto& [id, name] :
         std::initializer_list<std::pair<std::string_view, std::string_view>>{{"policy", "Policy"},
                                                                              {"comparison", "Comparison"},
                                                                              {"bytes", "Bytes"},
                                                                              {"reductions", "Reduction"},
                                                                              {"images", "Images"},
                                                                              {"sharing", "Sharing"},
                                                                              {"versions", "Versions"},
                                                                              {"build", "Build"},
                                                                              {"trend", "Trend"},
                                                                              {"misses", "Misses"},
                                                                              {"waste", "Waste"}}) {
      const std::size_t begin = body.find(fmt::format("<section id=\"{}\"", id));
      if (begin == std::string_view::npos) continue;
      const bool is_hidden = body.substr(begin, body.find('>', begin) - begin).ends_with(" hidden");
      links += fmt::format("<li{}><a href=\"#{}\">{}</a></li>", is_hidden ? " hidden" : "", id, name);
    }
    std::string result = fmt::format(
        "<a class=\"skip\" href=\"#main\">To the report</a>\n<header>\n<p class=\"over\">kiln report</p>\n<h1>{}</h1>\n"
        "<p>{}, kiln {}</p>\n</header>\n<nav class=\"parts\" aria-label=\"Parts of the report\"><ul>{}</ul></nav>\n",
        title(), format_rfc3339(report_.created), html_text(report_.kiln_version), links);
    return result;
  }

  std::string figures() const {
    std::string result;
    for (const GateFailure& failure : failures_) {
      result +=
          fmt::format("<div class=\"gate\" role=\"alert\">{}<br><code>{} {}</code></div>\n", html_text(failure.message),
                      html_text(shown_place(failure.file, failure.line)), html_text(failure.text));
    }
    result += "<dl class=\"figures\">\n";
    const auto tile = [&](std::string_view name, std::string_view value, std::string_view rest,
                          const std::optional<bool>& met) {
      result += fmt::format("<div class=\"figure\"><dt>{}</dt><dd><b>{}</b>", html_text(name), html_text(value));
      if (!rest.empty()) result += fmt::format("<span>{}</span>", html_text(rest));
      if (met) result += fmt::format("<span class=\"{0}\">{0}</span>", *met ? "met" : "missed");
      result += "</dd></div>\n";
    };
    for (const Figure& figure : document_.figures) {
      if (figure.value == "-" && figure.target.empty()) continue;
      tile(figure.name, figure.value, figure.target.empty() ? figure.note : "target " + figure.target, figure.met);
    }
    const ReportFleet& fleet = report_.fleet;
    tile("stored", human_bytes(fleet.stored_bytes), "instead of " + human_bytes(fleet.compressed_bytes), std::nullopt);
    tile("pushed", human_bytes(report_.wire.pushed_bytes),
         fmt::format("pulled {}, mounted {}", human_bytes(report_.wire.pulled_bytes),
                     human_bytes(report_.wire.mounted_bytes)),
         std::nullopt);
    return result + "</dl>\n";
  }

  std::string explorer() const {
    if (document_.layers.empty()) return "";
    return html_heading("bytes", "Where the bytes are",
                        "Each layer once, at the image that brings it." + html_key("shared", "in several images") +
                            html_key("profiles", "in profiles of one") + html_key("own", "in one")) +
           std::string(kExplorer) + "<div id=\"explorer-static\">\n" + html_largest_layers(document_) +
           "</div>\n</section>\n";
  }

  static std::string picture(std::string_view id, std::string_view title, std::string_view text, const std::string& svg,
                             const std::string& table) {
    return html_heading(id, title, text) +
           fmt::format(
               "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{}</div>\n{}</section>\n", title,
               svg, table);
  }

  std::string trend() const {
    std::vector<BuildReport> builds = earlier_;
    builds.push_back(report_);
    if (builds.size() < 2) return "";
    return picture("trend", "The last builds", "Of the same images, the newest on the right.", svg_trend(builds),
                   html_builds(builds));
  }

  const ReportDocument& document_;
  const BuildReport& report_;
  const std::vector<BuildReport>& earlier_;
  const std::vector<GateFailure>& failures_;
  const LayerSources& sources_;
};

}  // namespace

std::string report_html(const ReportDocument& document, const std::vector<BuildReport>& earlier,
                        const std::vector<GateFailure>& failures, const LayerSources& sources) {
  return Page(document, earlier, failures, sources).write();
}

}  // namespace kiln
