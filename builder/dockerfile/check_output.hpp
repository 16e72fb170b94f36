#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "builder/dockerfile/checks.hpp"

namespace kiln::dockerfile {

// A report for people: each finding with its rule, its page and the lines in question. Empty where there is
// nothing to say.
std::string check_text(const CheckReport& report, std::string_view text, std::string_view file_name);

// {"file", "fails", "findings": [{"rule", "origin", "description", "page", "message", "start_line",
// "end_line"}], "error": null or a message}.
nlohmann::json check_json(const CheckReport& report, std::string_view file_name);

// SARIF 2.1.0, one run; what keeps the Dockerfile from building is a result of the rule "DockerfileError".
nlohmann::json check_sarif(const CheckReport& report, std::string_view file_name);

}  // namespace kiln::dockerfile
