#pragma once

#include <string>
#include <vector>

#include "builder/report/gate.hpp"
#include "builder/report/layer_sources.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

// The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere, so that it can be
// kept as a CI artefact or mailed; its Content-Security-Policy says so to the browser. The figures, images, causes,
// misses and waste are there without scripts. Its own script draws what goes down from images to files, from data that
// page_data.hpp describes. What came from outside is escaped in the page, and set as text by the script.
std::string report_html(const ReportDocument& document, const std::vector<BuildReport>& earlier = {},
                        const std::vector<GateFailure>& failures = {}, const LayerSources& sources = {});

}  // namespace kiln
