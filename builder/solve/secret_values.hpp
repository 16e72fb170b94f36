#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/variables.hpp"

namespace kiln {

// The values of build args whose names look like a secret's, which no message repeats: a path, an owner or a URL that
// was made of one would show it.
class SecretValues {
 public:
  explicit SecretValues(const dockerfile::BuildArgs& args);

  // With "***" in the place of each. A value of few characters counts where it is a whole word alone, and "true" and
  // its like never do: they would be found in any text.
  std::string masked(std::string_view text) const;

 private:
  std::vector<std::string> values_;  // the longest first: one may be a part of another
};

}  // namespace kiln
