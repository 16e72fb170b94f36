#include "builder/steps/or_blocked.hpp"

#include <doctest/doctest.h>

#include "builder/steps/image_layers.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

TEST_CASE("a value is there, or what stands in its way") {
  OrBlocked<std::string> there(std::string("value"));
  CHECK_FALSE(there.is_blocked());
  CHECK(there.value() == "value");
  const OrBlocked<std::string> lost(Blocked{{{"key", "COPY a /"}}});
  CHECK(lost.is_blocked());
  CHECK(lost.blocked().lost.at("key") == "COPY a /");
}

TEST_CASE("what stands in the way adds up, each step once") {
  Blocked blocked{{{"a", "RUN a"}}};
  blocked.add({{{"b", "RUN b"}}});
  blocked.add({{{"a", "RUN a"}}});
  CHECK(blocked == Blocked{{{"a", "RUN a"}, {"b", "RUN b"}}});
}

TEST_CASE("a layer that was there and is gone when it is delivered is the machine's error, by its step") {
  CHECK(still_there(OrBlocked<int>(3)) == 3);
  CHECK(error_of([] {
          still_there(OrBlocked<int>(Blocked{{{"key", "COPY a /"}}}));
        }) == "machine: no place has the layer of 'COPY a /' any more; build it again, or run 'kiln cache verify'");
}
