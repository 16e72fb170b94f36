#pragma once

#include "builder/plan/forecast.hpp"

namespace kiln::cli {

// Prints a forecast to standard output for people: waves of targets with what each would take, their steps, and the
// reasons that several steps have once, below. Of a large fleet only steps with a reason of their own are listed.
void print_plan(const Forecast& forecast);

}  // namespace kiln::cli
