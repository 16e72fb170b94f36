#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/terminal_text.hpp"
#include "builder/report/report_document.hpp"

namespace kiln {

struct ReportTextOptions {
  std::size_t width = 100;  // columns; at least 60 are taken
  Colour colour = Colour::no;
  std::size_t most_layers = 12;  // of the distinct ones, largest first; the rest is summed up in one line
  // What a fleet of more images is shortened to: images that changed, and the steps that took longest. None: all.
  std::optional<std::size_t> most_images = std::nullopt;
};

// The report for people, on a terminal or in a log: images and their sizes, what they share, layers by Dockerfile
// line, why steps missed, hit rates, bytes over the wire and wall time, each against its target. Ends with a newline.
// Text that came from outside is made printable.
std::string report_text(const ReportDocument& document, const ReportTextOptions& options = {});

}  // namespace kiln
