#pragma once

#include <string>

#include "builder/plan/forecast.hpp"

namespace kiln {

// A graph for Graphviz: clusters by wave, an edge from each parent to its children.
std::string forecast_dot(const Forecast& forecast);
// A drawing: a column for each wave, targets of one image (its profiles) beside one another in one frame.
std::string forecast_svg(const Forecast& forecast);

}  // namespace kiln
