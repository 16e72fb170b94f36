#include "builder/solve/masked_inputs.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace kiln {

TEST_CASE("an input that a secret is part of is compared and not shown") {
  SecretValues secrets;
  secrets.add({{"DB_PASSWORD", "hunter2secret"}});
  const std::vector<RawInput> inputs =
      masked_inputs({{"destination", "/hunter2secret"}, {"file hunter2secret", "1"}, {"ARG VERSION", "2"}}, secrets);
  REQUIRE(inputs.size() == 3);
  CHECK(inputs[0].value == "/hunter2secret");
  CHECK_FALSE(inputs[0].may_be_shown);
  CHECK(inputs[1].name == "file ***");
  CHECK(inputs[1].may_be_shown);
  CHECK(inputs[2].may_be_shown);
}

}  // namespace kiln
