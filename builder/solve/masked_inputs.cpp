#include "builder/solve/masked_inputs.hpp"

namespace kiln {

std::vector<RawInput> masked_inputs(std::vector<RawInput> inputs, const SecretValues& secrets) {
  for (RawInput& input : inputs) {
    input.name = secrets.masked(input.name);
    input.about = secrets.masked(input.about);
    if (input.may_be_shown) input.may_be_shown = secrets.masked(input.value) == input.value;
  }
  return inputs;
}

}  // namespace kiln
