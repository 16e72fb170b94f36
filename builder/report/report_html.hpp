#pragma once

#include <string>
#include <vector>

#include "builder/report/gate.hpp"
#include "builder/report/html_files.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

// The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere, so that it can be
// kept as a CI artefact or mailed. What its own script adds, the files of large layers by `index_of`, is the only thing
// that is not there without scripts. It holds the figures against their targets, a treemap of the stored bytes, the
// images with what they share, the build along the time, the trend over `earlier` (reports of the same images, oldest
// first), the steps that missed, and the waste by Dockerfile line. What came from outside is escaped.
std::string report_html(const ReportDocument& document, const std::vector<BuildReport>& earlier = {},
                        const std::vector<GateFailure>& failures = {}, const FindFileIndex& index_of = {});

}  // namespace kiln
