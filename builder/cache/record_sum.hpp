#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kiln {

// A record's JSON with a member "sum", the sha256 of its text without that member. Text that is no UTF-8 is replaced
// first.
std::string dump_with_sum(nlohmann::json value);
// Takes the member out again; Error{category} naming `where` where it is missing or the sum of another text.
void check_sum(nlohmann::json& value, std::string_view where, Category category);

}  // namespace kiln
