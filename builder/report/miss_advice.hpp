#pragma once

#include <string>
#include <vector>

#include "builder/cache/build_record.hpp"

namespace kiln {

// What would make a step that missed hit the next time: a sentence for each cause, at most a few. Empty for a hit.
std::vector<std::string> miss_advice(const BuildRecordStep& step);

}  // namespace kiln
