#pragma once

#include <string>

#include "builder/report/report_document.hpp"

namespace kiln {

// The report in Prometheus' text exposition format, version 0.0.4: for a push gateway, or, written to NAME.prom at
// once, for node_exporter's textfile folder. Gauges only, each with HELP and TYPE; ratios go from 0 to 1, times are in
// seconds, sizes in bytes, as Prometheus' naming conventions have it. A figure that was not measured has no sample.
std::string report_prometheus(const ReportDocument& document);

}  // namespace kiln
