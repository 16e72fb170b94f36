#include "builder/cache/step_key.hpp"

#include <doctest/doctest.h>

using namespace kiln;

// A changed digest here means that every cache in the world misses: raise kStepKeyVersion and say so.
TEST_CASE("the keys of version 1 are pinned") {
  CHECK(kStepKeyVersion == 1);
  CHECK(StepKeyBuilder("run").finish() == "9085cf6854e9ca2922ab9dbc0ded61f2fdcd94e58276a8e293abe385578bc25d");
  CHECK(StepKeyBuilder("run")
            .text("platform", "linux/amd64")
            .list("parents", {"sha256:aa", "sha256:bb"})
            .number("user.uid", 0)
            .list("argv", {"/bin/sh", "-c", "make"})
            .finish() == "59d56a0d29711e0ef16e5aa941e83de5f15d6a5ef6e26fd98fe63593bba21a33");
}

TEST_CASE("a list is not its concatenation") {
  const auto key = [](const std::vector<std::string>& items) {
    return StepKeyBuilder("run").list("argv", items).finish();
  };
  CHECK(key({"ab", "c"}) != key({"a", "bc"}));
  CHECK(key({"a", ""}) != key({"a"}));
  CHECK(key({}) != key({""}));
}

TEST_CASE("the kind, the names and the types of fields count") {
  CHECK(StepKeyBuilder("run").text("a", "1").finish() != StepKeyBuilder("copy").text("a", "1").finish());
  CHECK(StepKeyBuilder("run").text("a", "1").finish() != StepKeyBuilder("run").text("b", "1").finish());
  CHECK(StepKeyBuilder("run").text("a", "1").finish() != StepKeyBuilder("run").number("a", 1).finish());
}

TEST_CASE("a key is sixty-four lower-case hex digits") {
  CHECK(is_step_key(StepKeyBuilder("run").finish()));
  CHECK_FALSE(is_step_key(""));
  CHECK_FALSE(is_step_key(std::string(64, 'A')));
  CHECK_FALSE(is_step_key("../../etc/passwd"));
}
