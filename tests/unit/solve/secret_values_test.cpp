#include "builder/solve/secret_values.hpp"

#include <doctest/doctest.h>

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

}  // namespace kiln
