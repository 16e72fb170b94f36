#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "builder/packages/layer_comparison.hpp"

namespace kiln::cli {

// What `kiln layers --compare` prints of two images.
void print_comparison(const LayerComparison& comparison, const ComparedImage& before, const ComparedImage& after);
nlohmann::json comparison_json(const LayerComparison& comparison, const ComparedImage& before,
                               const ComparedImage& after);

}  // namespace kiln::cli
