#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "builder/report/gate.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

struct ReportMarkdownOptions {
  // GitHub refuses a job summary above 1 MiB, and one above 900 KiB leaves nothing for other steps of the job. Rows are
  // left out, and counted, where it would grow beyond that.
  std::size_t most_bytes = std::size_t{900} << 10;
  // The gates that failed and the comparison alone.
  bool is_brief = false;
};

// The report as GitHub-flavoured Markdown, for a job summary or a comment: the figures against their targets, the gates
// that failed, images, steps that missed with their reasons, waste by Dockerfile line. What came from outside is
// escaped, so that no instruction becomes markup.
std::string report_markdown(const ReportDocument& document, const std::vector<GateFailure>& failures = {},
                            const ReportMarkdownOptions& options = {});

}  // namespace kiln
