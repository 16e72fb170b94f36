#pragma once

#include <nlohmann/json_fwd.hpp>

#include "builder/definitions/fleet.hpp"

namespace kiln {

class JsonSource;

// The settings that a fleet.json (already checked against its schema) says. Error{usage} "FILE:LINE: ...".
FleetSettings read_fleet_settings(const JsonSource& source, const nlohmann::json& content);

}  // namespace kiln
