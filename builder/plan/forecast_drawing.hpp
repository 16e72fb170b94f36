#pragma once

#include <string>

#include "builder/plan/forecast.hpp"

namespace kiln {

// For people who look at a fleet: a graph is what a table of targets does not show.

// A graph for Graphviz: clusters by wave, an edge from each parent to its children.
std::string forecast_dot(const Forecast& forecast);
// The same drawn, for where Graphviz is not installed (a job of CI, a pull request): a column for each wave, targets of
// one image (its profiles) beside one another in one frame.
std::string forecast_svg(const Forecast& forecast);

}  // namespace kiln
