#pragma once

#include <string>

#include "builder/plan/forecast.hpp"

namespace kiln {

// {"schema_version": 1, "targets": [...], "notes": [...], "reasons": [...], "totals": {...}}, indented; its members are
// called as here.
std::string forecast_json(const Forecast& forecast);

}  // namespace kiln
