#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "builder/cache/step_record.hpp"
#include "builder/dockerfile/variables.hpp"
#include "builder/plan/plan.hpp"

namespace kiln {

// The values of build args whose names look like a secret's, which no message and no record repeats: a path, an owner
// or a URL that was made of one would show it.
//
// What is told while a build goes on loses them in the Recorder, what is thrown in guard(), and what a step is recorded
// by in masked().
class SecretValues {
 public:
  SecretValues() = default;
  explicit SecretValues(const dockerfile::BuildArgs& args);

  // Those whose names look like a secret's.
  void add(const dockerfile::BuildArgs& args);

  // With "***" in the place of each. A value of few characters counts where it is a whole word alone, and "true" and
  // its like never do: they would be found in any text.
  std::string masked(std::string_view text) const;
  // Inputs that one is part of are compared, and not shown.
  std::vector<RawInput> masked(std::vector<RawInput> inputs) const;
  // The same error where there is nothing to mask.
  Error masked(const Error& error) const;

  // Runs `body`; an Error that leaves it is masked.
  template <class Body>
  decltype(auto) guard(Body&& body) const {
    try {
      return body();
    } catch (const Error& error) {
      const Error shown = masked(error);
      if (shown.message() == error.message() && shown.detail() == error.detail()) throw;
      throw shown;
    }
  }

 private:
  std::vector<std::string> values_;  // the longest first: one may be a part of another
};

// Of all targets of a plan.
SecretValues secrets_of(const Plan& plan);

}  // namespace kiln
