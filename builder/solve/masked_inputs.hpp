#pragma once

#include <vector>

#include "base/secret_values.hpp"
#include "builder/cache/step_record.hpp"

namespace kiln {

// What a step is made of, for its record: inputs that a secret is part of are compared, and not shown.
std::vector<RawInput> masked_inputs(std::vector<RawInput> inputs, const SecretValues& secrets);

}  // namespace kiln
