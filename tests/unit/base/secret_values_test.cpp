#include "base/secret_values.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

namespace kiln {

namespace {

using BuildArgs = std::map<std::string, std::string, std::less<>>;

SecretValues secrets_of(const BuildArgs& args) {
  SecretValues secrets;
  secrets.add(args);
  return secrets;
}

}  // namespace

TEST_CASE("a name that looks like a secret's") {
  CHECK(looks_like_secret("variable github_token"));
  CHECK(looks_like_secret("variable DB_PASSWORD"));
  CHECK_FALSE(looks_like_secret("variable PATH"));
  CHECK(looks_like_secret("HTTP_AUTHORIZATION"));
  CHECK(looks_like_secret("AUTHORS_AUTH"));
  CHECK_FALSE(looks_like_secret("IMAGE_AUTHORS"));
}

TEST_CASE("values of build args that look like secrets are in no text") {
  const SecretValues secrets =
      secrets_of({{"DB_PASSWORD", "hunter2secret"}, {"API_TOKEN", "hunter2"}, {"VERSION", "visible"}});
  CHECK(secrets.masked("'/hunter2secret' is not in the build context") == "'/***' is not in the build context");
  CHECK(secrets.masked("hunter2,xhunter2x,visible") == "***,x***x,visible");
}

TEST_CASE("a value as messages quote it counts too") {
  const SecretValues secrets = secrets_of({{"TOKEN", "geheim\nnis"}});
  CHECK(secrets.masked("user 'geheim\\x0anis'") == "user '***'");
}

TEST_CASE("a short value counts as a whole word, and a switch is no secret") {
  const SecretValues secrets = secrets_of({{"PIN_SECRET", "ab1"}, {"USE_AUTH", "True"}, {"SORT_KEY", ""}});
  CHECK(secrets.masked("cab1 /ab1: ab1") == "cab1 /***: ***");
  CHECK(secrets.masked("expected True or False") == "expected True or False");
}

TEST_CASE("what a modifier makes of a secret is one, and so is what another makes of that") {
  const SecretValues secrets = secrets_of({{"DB_PASSWORD", "hunter2secret"}});
  secrets.add_made_of("hunter2secret", "unter2secret");
  secrets.add_made_of("unter2secret", "2secret");
  secrets.add_made_of("visible", "ible");
  secrets.add_made_of("hunter2secret", "ret");
  CHECK(secrets.masked("'/unter2secret' '/2secret' /ible: no secret") == "'/***' '/***' /ible: no secret");
}

TEST_CASE("more values than a text can be searched for are refused") {
  const SecretValues secrets = secrets_of({{"DB_PASSWORD", "hunter2secret"}});
  const auto make_many = [&] {
    for (int i = 0; i < 2000; ++i) secrets.add_made_of("hunter2secret", "made" + std::to_string(i));
  };
  CHECK_ERROR(make_many(), Category::usage,
              "modifiers of variables make more than 1000 values of secrets, which cannot all be kept out of messages");
}

TEST_CASE("what was made is counted once, and neither parts nor what a Dockerfile says are") {
  std::string lines = "begin";
  for (int i = 0; i < 1200; ++i) lines += " line" + std::to_string(i);
  const SecretValues secrets = secrets_of({{"PRIVATE_KEY", lines}});
  secrets.add_public("COPY python-x /");
  secrets.add_parts_of(lines);
  for (int i = 0; i < 2000; ++i) secrets.add_made_of(lines, "rest of it");
  secrets.add_made_of(lines, "python");
  CHECK(secrets.masked("line7, rest of it, python") == "***, ***, python");
}

TEST_CASE("parts of a secret count where it stood in a word") {
  const SecretValues secrets =
      secrets_of({{"DB_PASSWORD", "hunter2//secret/../tale:1000"}, {"X_TOKEN", "https://h.example/a"}});
  const std::string told = "no user 'hunter2'; '/hunter2/tale:1000' is no folder; http://H.example";
  CHECK(secrets.masked(told) == told);
  secrets.add_parts_of("/srv/hunter2//secret/../tale:1000");
  CHECK(secrets.masked(told) == "no user '***'; '/***' is no folder; http://H.example");
  secrets.add_parts_of("https://h.example/a");
  CHECK(secrets.masked("https http://H.example x") == "https http://*** x");
}

TEST_CASE("a part that the definitions say themselves is none") {
  const SecretValues secrets = secrets_of({{"AUTH_IMAGE", "ghcr.io/acme/auth:nightly"}});
  secrets.add_public("FROM GHCR.io/acme/base\n");
  secrets.add_public("auth");
  secrets.add_parts_of("ghcr.io/acme/auth:nightly");
  CHECK(secrets.masked("ghcr.io/acme/auth:nightly is no ghcr.io/acme/auth:old nightly") ==
        "*** is no ghcr.io/acme/auth:old ***");
}

TEST_CASE("copies know the same values") {
  const SecretValues secrets;
  const SecretValues copy = secrets;
  secrets.add({{"DB_PASSWORD", "hunter2secret"}});
  CHECK(copy.masked("hunter2secret") == "***");
}

TEST_CASE("an error that leaves a guarded body repeats no secret, and another one leaves as it is") {
  const SecretValues secrets = secrets_of({{"DB_PASSWORD", "hunter2secret"}});
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
