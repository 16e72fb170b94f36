#pragma once

#include <cstddef>
#include <string>

#include "base/terminal_text.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

struct ReportTextOptions {
  std::size_t width = 100;  // columns; at least 60 are taken
  Colour colour = Colour::no;
  std::size_t most_layers = 12;  // of the distinct ones, largest first; the rest is summed up in one line
};

// The report for people, on a terminal or in a log: images and their sizes, what they share, layers by Dockerfile
// line, why steps missed, hit rates, bytes over the wire and wall time, each against its target. Ends with a newline.
// Text that came from outside is made printable.
std::string report_text(const ReportDocument& document, const ReportTextOptions& options = {});

}  // namespace kiln
