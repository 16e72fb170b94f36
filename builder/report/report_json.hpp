#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "builder/report/build_report.hpp"

namespace kiln {

// A report as JSON: report.schema.json beside this file describes it. Members may be added to version 1, none changes
// its meaning or goes without a new version.
inline constexpr int kReportSchemaVersion = 1;

// Indented, members in the order of the schema, with a newline at the end.
std::string to_json_text(const BuildReport& report);
// Reads what to_json_text wrote. Unknown members are passed over (a newer kiln of the same schema version wrote
// them). Error{category} naming `name` and the member where a type is wrong, one is missing, or the schema version
// is not known.
BuildReport parse_report(std::string_view text, std::string_view name, Category category);

}  // namespace kiln
