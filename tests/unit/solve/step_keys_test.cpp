// What changes the key of a step, and what does not: each case is a build, a change, and the steps that run again.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <functional>

#include "base/error.hpp"
#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::Steps;
using test::Workshop;

namespace {

using Change = std::function<void(Workshop&)>;

// Whether the last step of a Dockerfile has another key after a change.
bool changes_last_key(const std::string& dockerfile, const Change& change, const Change& prepare = {}) {
  Workshop shop;
  shop.context("a", "1");
  shop.context("b", "2");
  shop.context("folder/x", "x");
  TargetSpec& target = shop.dockerfile(dockerfile);
  target.platforms = {oci::Platform::parse("linux/amd64")};
  if (prepare) prepare(shop);
  shop.build();
  const std::string before = shop.heard().steps().back().result.key;
  change(shop);
  shop.build();
  const test::HeardBuild::Heard last = shop.heard().steps().back();
  const bool is_changed = last.result.key != before;
  CHECK(last.result.outcome == (is_changed ? StepOutcome::built : StepOutcome::hit));
  return is_changed;
}

Change rewrites(const std::string& path, const std::string& text) {
  return [=](Workshop& shop) { shop.context(path, text); };
}
Change says(const std::string& dockerfile) {
  return [=](Workshop& shop) { shop.dockerfile(dockerfile); };
}
Change argument(const std::string& name, const std::string& value) {
  return [=](Workshop& shop) { shop.dockerfile(shop.dockerfile_text()).args[name] = value; };
}

}  // namespace

TEST_CASE("the key of a COPY is of what it writes") {
  const std::string copy = "FROM base\nCOPY a /\n";
  CHECK(changes_last_key(copy, rewrites("a", "other")));
  CHECK_FALSE(changes_last_key(copy, rewrites("b", "other")));
  CHECK_FALSE(changes_last_key(copy, rewrites("a", "1")));
  CHECK(changes_last_key(copy, says("FROM base\nCOPY a /other\n")));
  CHECK(changes_last_key(copy, says("FROM base\nCOPY --chown=app a /\n")));
  CHECK(changes_last_key(copy, says("FROM base\nCOPY --chmod=700 a /\n")));
}

TEST_CASE("the key of a COPY is not of how the instruction is written") {
  const std::string copy = "FROM base\nCOPY a /\n";
  CHECK_FALSE(changes_last_key(copy, says("FROM base\nCOPY ./a /./\n")));
  CHECK_FALSE(changes_last_key(copy, says("FROM base\n# a comment\nCOPY \"a\" /\n")));
  CHECK_FALSE(changes_last_key(copy, says("FROM base\nADD a /\n")));
  CHECK_FALSE(changes_last_key(copy, says("FROM base\nCOPY --chmod=644 a /\n")));
}

TEST_CASE("modes and links of a file are in the key of its COPY, its times and its machine's attributes are not") {
  const std::string copy = "FROM base\nCOPY folder /folder\n";
  const auto path = [](Workshop& shop) { return (shop.context_folder() / "folder/x").native(); };
  CHECK(changes_last_key(copy, [&](Workshop& shop) { ::chmod(path(shop).c_str(), 0755); }));
  CHECK(changes_last_key(copy, [&](Workshop& shop) { fs::create_symlink("x", shop.context_folder() / "folder/y"); }));
  CHECK(changes_last_key(
      copy,
      [&](Workshop& shop) {
        fs::remove(shop.context_folder() / "folder/y");
        fs::create_symlink("y", shop.context_folder() / "folder/y");
      },
      [&](Workshop& shop) { fs::create_symlink("x", shop.context_folder() / "folder/y"); }));
  CHECK_FALSE(changes_last_key(
      copy, [&](Workshop& shop) { REQUIRE(::setxattr(path(shop).c_str(), "user.kiln", "1", 1, 0) == 0); }));
  CHECK_FALSE(changes_last_key(copy, [&](Workshop& shop) {
    fs::last_write_time(path(shop), fs::file_time_type::clock::now() - std::chrono::hours(100));
  }));
}

TEST_CASE("the time that every file gets is in the key of a COPY") {
  CHECK(changes_last_key("FROM base\nCOPY a /\n", [](Workshop& shop) { shop.evaluation.times.epoch = 1'000'000'000; }));
  CHECK(changes_last_key("FROM base\nWORKDIR /app\n", [](Workshop& shop) { shop.evaluation.times.epoch.reset(); }));
}

TEST_CASE("a heredoc is in the key of its COPY by what it says when its variables have values") {
  const std::string copy = "FROM base\nARG A=1\nCOPY <<x /\n$A\nx\n";
  CHECK(changes_last_key(copy, argument("A", "2")));
  CHECK_FALSE(changes_last_key(copy, argument("A", "1")));
}

TEST_CASE("a build argument reaches a COPY that expands it, and no other") {
  CHECK(changes_last_key("FROM base\nARG A=a\nCOPY $A /to\n", argument("A", "b")));
  CHECK_FALSE(changes_last_key("FROM base\nARG A=a\nCOPY b /to\n", argument("A", "b")));
}

TEST_CASE("what a URL answers is in the key of its ADD, the URL is not") {
  const std::string add = "FROM base\nADD https://example.com/x /\n";
  const Change prepare = [](Workshop& shop) {
    shop.fetcher.texts = {{"https://example.com/x", "1"}, {"https://mirror.example.com/x", "1"}};
  };
  CHECK(changes_last_key(
      add, [](Workshop& shop) { shop.fetcher.texts["https://example.com/x"] = "2"; }, prepare));
  CHECK_FALSE(changes_last_key(add, says("FROM base\nADD https://mirror.example.com/x /\n"), prepare));
}

TEST_CASE("a RUN's key is of its command, environment, folder and user") {
  const std::string run = "FROM base\nRUN make\n";
  CHECK(changes_last_key(run, says("FROM base\nRUN make all\n")));
  CHECK(changes_last_key(run, says("FROM base\nRUN [\"make\"]\n")));
  CHECK(changes_last_key(run, says("FROM base\nENV A=1\nRUN make\n")));
  CHECK(changes_last_key(run, says("FROM base\nUSER app\nRUN make\n")));
  CHECK(changes_last_key(run, says("FROM base\nSHELL [\"/bin/bash\", \"-c\"]\nRUN make\n")));
  CHECK(changes_last_key(run, says("FROM base\nRUN --network=none make\n")));
  CHECK(changes_last_key("FROM base\nENV A=1\nRUN make\n", says("FROM base\nENV A=2\nRUN make\n")));
}

TEST_CASE("a RUN's key is not of what its command does not see") {
  const std::string run = "FROM base\nRUN make\n";
  CHECK_FALSE(changes_last_key(run, says("FROM base\nLABEL a=b\nEXPOSE 80\nCMD [\"x\"]\nRUN make\n")));
  CHECK_FALSE(changes_last_key(run, says("FROM base\nUSER root\nRUN make\n")));
  CHECK_FALSE(changes_last_key(run, says("FROM base\nRUN --network=host make\n")));
  CHECK_FALSE(changes_last_key("FROM base\nENV A=1 B=2\nRUN make\n", says("FROM base\nENV B=2\nENV A=1\nRUN make\n")));
}

TEST_CASE("an ARG is in the key of the RUNs below it, used or not, and a proxy is in none") {
  const std::string run = "FROM base\nARG A=1\nRUN make\n";
  CHECK(changes_last_key(run, argument("A", "2")));
  CHECK_FALSE(changes_last_key("FROM base\nRUN make\n", argument("A", "2")));
  CHECK_FALSE(changes_last_key(run, argument("HTTP_PROXY", "http://proxy.example.com")));
}

TEST_CASE("what is below a RUN is in its key by its bytes") {
  const std::string run = "FROM base\nCOPY a /\nRUN make\n";
  CHECK(changes_last_key(run, rewrites("a", "other")));
  CHECK_FALSE(changes_last_key(run, rewrites("b", "other")));
  CHECK(changes_last_key(run, [](Workshop& shop) { shop.bases.add("base", {{"base", "another"}}); }));
}

TEST_CASE("limits, hosts, shared memory and rewritten times are in the key of a RUN") {
  const std::string run = "FROM base\nRUN make\n";
  CHECK(changes_last_key(run, [](Workshop& shop) { shop.last_target().ulimits = {"nofile=1024:2048"}; }));
  CHECK(changes_last_key(run, [](Workshop& shop) { shop.last_target().extra_hosts = {{"db", "10.0.0.1"}}; }));
  CHECK(changes_last_key(run, [](Workshop& shop) { shop.last_target().shm_size = "1m"; }));
  CHECK(changes_last_key(run, [](Workshop& shop) { shop.last_target().rewrites_times = true; }));
  CHECK(changes_last_key(run, [](Workshop& shop) { shop.evaluation.security = RunSecurity::hardened; }));
  CHECK_FALSE(changes_last_key(run, [](Workshop& shop) { shop.runs.host_proxies = {"HTTP_PROXY=http://x"}; }));
  CHECK_FALSE(changes_last_key(run, [](Workshop& shop) { shop.runs.parallel = 1; }));
}

TEST_CASE("the script of a heredoc is in the key of its RUN") {
  const std::string run = "FROM base\nRUN <<x\n#!/usr/bin/env python3\nprint(1)\nx\n";
  CHECK(changes_last_key(run, says("FROM base\nRUN <<x\n#!/usr/bin/env python3\nprint(2)\nx\n")));
  CHECK_FALSE(changes_last_key(run, says("FROM base\n\nRUN <<x\n#!/usr/bin/env python3\nprint(1)\nx\n")));
}

TEST_CASE("compression is in no key") {
  CHECK_FALSE(changes_last_key("FROM base\nCOPY a /\nRUN make\n", [](Workshop& shop) {
    shop.dockerfile(shop.dockerfile_text()).compression = Compression{CompressionKind::zstd, {}};
  }));
}

TEST_CASE("the inputs of a miss name what changed of a RUN") {
  Workshop shop;
  shop.dockerfile("FROM base\nENV MODE=a\nRUN make\n");
  shop.build();
  shop.dockerfile("FROM base\nENV MODE=b\nRUN make\n");
  shop.build();
  CHECK(shop.reason_of("RUN make") == "ENV MODE changed from 'a' to 'b'");
  shop.dockerfile("FROM base\nENV MODE=b\nARG NEW=1\nRUN make\n");
  shop.build();
  CHECK(shop.reason_of("RUN make") == "ARG NEW is new");
}

TEST_CASE("a value that looks like a secret is not in the reason of a miss") {
  Workshop shop;
  shop.dockerfile("FROM base\nARG API_TOKEN=first\nRUN make\n");
  shop.build();
  shop.dockerfile("FROM base\nARG API_TOKEN=second\nRUN make\n");
  shop.build();
  CHECK(shop.reason_of("RUN make") == "ARG API_TOKEN changed");
}

TEST_CASE("an insecure RUN is refused unless it is allowed") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN --security=insecure make\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::usage);
  CHECK(error.message() == "Dockerfile:2: RUN --security=insecure is not allowed; pass --allow security.insecure");
  shop.runs.allow_insecure = true;
  CHECK(shop.build() == Steps{"built RUN --security=insecure make"});
}
