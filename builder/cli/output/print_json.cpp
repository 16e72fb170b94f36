#include "builder/cli/output/print_json.hpp"

#include <fmt/core.h>

#include <string>

#include "base/json.hpp"
#include "base/text.hpp"

namespace kiln::cli {

void print_json(const nlohmann::json& document) {
  fmt::print("{}\n", visible_json(json_text(document, JsonLayout::indented)));
}

void print_json(const nlohmann::ordered_json& document) {
  fmt::print("{}\n", visible_json(json_text(document, JsonLayout::indented)));
}

}  // namespace kiln::cli
