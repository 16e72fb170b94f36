#pragma once

#include <string>
#include <vector>

#include "builder/report/report_document.hpp"

namespace kiln {

// The tables of the HTML page, each a <section> with its heading; empty where there is nothing to say. They are there
// without scripts, have few columns, so that they fit a telephone, and escape what came from outside.

// The layers that take most: what the page has where its explorer does not run.
std::string html_largest_layers(const ReportDocument& document);
// Images by what they share; profiles with the same layers are one row.
std::string html_images(const ReportDocument& document);
// What grew since another report, by image and line, and by package.
std::string html_comparison(const ReportDocument& document);
// Builds of the same images, oldest first, with the commit of each; the newest comes first.
std::string html_builds(const std::vector<BuildReport>& builds);
// Before and after, by causes.
std::string html_reductions(const ReportDocument& document);
// Steps that were executed, and why.
std::string html_misses(const ReportDocument& document);
// What breaks the fleet's policy and was let through; "" where nothing does.
std::string html_policy(const ReportDocument& document);
std::string html_network(const ReportDocument& document);
// Waste by layer, the layer that wastes most first.
std::string html_waste(const ReportDocument& document);

// The beginning of a section that the page's navigation knows by `id`; ends with "</section>\n".
std::string html_heading(std::string_view id, std::string_view title, std::string_view text = {});
// A <span> that shows a colour of the page's and says what it is for.
std::string html_key(std::string_view css_class, std::string_view words);

}  // namespace kiln
