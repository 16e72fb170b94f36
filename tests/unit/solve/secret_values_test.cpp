#include "builder/solve/secret_values.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

namespace kiln {

TEST_CASE("values of build args that look like secrets are in no text") {
  const SecretValues secrets(
      dockerfile::BuildArgs{{"DB_PASSWORD", "hunter2secret"}, {"API_TOKEN", "hunter2"}, {"VERSION", "visible"}});
  CHECK(secrets.masked("'/hunter2secret' is not in the build context") == "'/***' is not in the build context");
  CHECK(secrets.masked("hunter2,xhunter2x,visible") == "***,x***x,visible");
}

TEST_CASE("a value as messages quote it counts too") {
  const SecretValues secrets(dockerfile::BuildArgs{{"TOKEN", "geheim\nnis"}});
  CHECK(secrets.masked("user 'geheim\\x0anis'") == "user '***'");
}

TEST_CASE("a short value counts as a whole word, and a switch is no secret") {
  const SecretValues secrets(dockerfile::BuildArgs{{"PIN_SECRET", "ab1"}, {"USE_AUTH", "True"}, {"SORT_KEY", ""}});
  CHECK(secrets.masked("cab1 /ab1: ab1") == "cab1 /***: ***");
  CHECK(secrets.masked("expected True or False") == "expected True or False");
}

TEST_CASE("an input that a secret is part of is compared and not shown") {
  const SecretValues secrets(dockerfile::BuildArgs{{"DB_PASSWORD", "hunter2secret"}});
  const std::vector<RawInput> inputs =
      secrets.masked({{"destination", "/hunter2secret"}, {"file hunter2secret", "1"}, {"ARG VERSION", "2"}});
  REQUIRE(inputs.size() == 3);
  CHECK(inputs[0].value == "/hunter2secret");
  CHECK_FALSE(inputs[0].may_be_shown);
  CHECK(inputs[1].name == "file ***");
  CHECK(inputs[1].may_be_shown);
  CHECK(inputs[2].may_be_shown);
}

TEST_CASE("an error that leaves a guarded body repeats no secret, and another one leaves as it is") {
  const SecretValues secrets(dockerfile::BuildArgs{{"DB_PASSWORD", "hunter2secret"}});
  const auto refuse = [](const std::string& subject) {
    throw Error(Category::usage, "no '" + subject + "'").set_detail("of " + subject + "\n");
  };
  const std::optional<Error> masked = test::caught_error([&] { secrets.guard([&] { refuse("hunter2secret"); }); });
  REQUIRE(masked.has_value());
  CHECK(masked->category() == Category::usage);
  CHECK(masked->message() == "no '***'");
  CHECK(masked->detail() == "of ***\n");
  CHECK_ERROR(secrets.guard([&] { refuse("visible"); }), Category::usage, "no 'visible'");
  CHECK(secrets.guard([] { return 7; }) == 7);
}

}  // namespace kiln
