#pragma once

#include <vector>

#include "builder/cache/build_record.hpp"
#include "builder/packages/advice.hpp"

namespace kiln::cli {

// Makes changes of packages more exact: where the instruction's line, a later one of it, or a file of requirements that
// it reads names the package, the change is about that line, and its action says what to write there.
void point_at_lines(std::vector<Advice>& advice, const BuildRecord& record);

}  // namespace kiln::cli
