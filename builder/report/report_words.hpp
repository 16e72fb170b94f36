#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/report/build_report.hpp"

namespace kiln {

// What all formats of the report say in the same words.

// "a, b", or "a, b and 110 more" where there are many.
std::string some_of(const std::vector<std::string>& names);
// An instruction as a table has room for it: without the mounts of a RUN, which stand before what it does. Printable.
std::string shown_instruction(std::string_view text);
// The same of a layer. What of its step it holds stands behind a long RUN ("... # torch 2.3.1") and comes first here:
// "torch 2.3.1: RUN pip install ...".
std::string shown_layer(std::string_view text);

// A printable text as it is, or its beginning and " ..." where it has more bytes than that.
std::string shortened(std::string text, std::size_t most_bytes);
// Why a step missed, cut where it quotes at length; the JSON has all of it. Printable.
std::string shown_reason(std::string_view text);

// "memory-fusion-hub mainpc"; a short digest for an image without a name. Printable.
std::string shown_name(const ReportImage& image);
// "76.7 %", "-" for none.
std::string shown_percent(const std::optional<double>& value);
// "images/base-utils/Dockerfile:3"; empty where it is not known. Printable.
std::string shown_place(const std::string& file, int line);

}  // namespace kiln
