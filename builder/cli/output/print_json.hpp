#pragma once

#include <nlohmann/json_fwd.hpp>

namespace kiln::cli {

// Prints a document for programs (`--json`) on standard output: indented, and a line break at its end.
void print_json(const nlohmann::json& document);
void print_json(const nlohmann::ordered_json& document);

}  // namespace kiln::cli
