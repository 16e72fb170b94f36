#include "builder/cache/step_claim.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

const std::string kHolder(32, 'a');
const std::string kKey(64, 'b');

}  // namespace

TEST_CASE("a claim is read as it was written") {
  const StepClaim claim{kHolder, 7, true};
  CHECK(parse_step_claim(serialise(claim, kKey), kKey, "claim") == claim);
}

TEST_CASE("what is no claim is refused by name") {
  const std::string key = R"("key": ")" + kKey + R"(", )";
  const std::string holder = R"("holder": ")" + kHolder + R"(")";
  REQUIRE(parse_step_claim("{" + key + holder + R"(, "version": 1, "beat": 1})", kKey, "claim").beat == 1);
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), "{" + key + holder + R"(, "version": 2, "beat": 1})",
        "{" + key + holder + R"(, "version": 1, "beat": -1})", "{" + holder + R"(, "version": 1, "beat": 1})",
        "{" + key + R"("holder": "../../etc", "version": 1, "beat": 1})",
        "{" + key + R"("holder": 5, "version": 1, "beat": 1})"}) {
    CAPTURE(text);
    CHECK(error_of([&] { parse_step_claim(text, kKey, "claim of c"); }).starts_with("network: claim of c: "));
  }
}

TEST_CASE("a claim of another step is refused") {
  CHECK(error_of([&] {
          parse_step_claim(serialise({kHolder, 7, false}, std::string(64, 'c')), kKey, "claim");
        }) == "network: claim: it is no claim of this step");
}

TEST_CASE("a claim's key is not its step's") {
  CHECK(claim_key(kKey) != kKey);
  CHECK(claim_key(kKey).size() == 64);
}
