// Which steps a build executes, which it finds, and what it says of a miss.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::Steps;
using test::Workshop;

TEST_CASE("what was built once is found the next time, and nothing runs") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nWORKDIR /app\nCOPY a .\nRUN make\n");
  CHECK(shop.build() == Steps{"built WORKDIR /app", "built COPY a .", "built RUN make"});
  CHECK(shop.ran() == Steps{"make"});
  CHECK(shop.file("app/a") == "1");
  CHECK(shop.file("ran/make") == "");
  CHECK(shop.build() == Steps{"hit WORKDIR /app", "hit COPY a .", "hit RUN make"});
  CHECK(shop.ran().empty());
  CHECK(shop.file("app/a") == "1");
}

TEST_CASE("a first build has no earlier one to be compared with") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN make\n");
  shop.build();
  CHECK(shop.reason_of("RUN make") == "no earlier build of this step");
}

TEST_CASE("a changed file executes its COPY and what stands on it, and is named") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nRUN before\nCOPY a /\nRUN after\n");
  shop.build();
  shop.ran();
  shop.context("a", "2");
  CHECK(shop.build() == Steps{"hit RUN before", "built COPY a /", "built RUN after"});
  CHECK(shop.ran() == Steps{"after"});
  CHECK(shop.reason_of("COPY a /") == "file a changed");
  CHECK(shop.reason_of("RUN after") == "parent layer 2 (COPY a /, Dockerfile:3) changed");
}

TEST_CASE("what a secret build arg is expanded to is in no cause of a miss and in no record") {
  struct Case {
    const char* line;
    const char* reason;
  };
  for (const Case& c : {Case{"COPY a /$S", "destination changed"}, Case{"WORKDIR /$S", "directory changed"},
                        Case{"RUN make", "ARG DB_PASSWORD changed; ARG S changed"}}) {
    CAPTURE(c.line);
    Workshop shop;
    shop.context("a", "1");
    TargetSpec& target =
        shop.dockerfile("FROM base\nARG DB_PASSWORD\nARG S=$DB_PASSWORD\n" + std::string(c.line) + "\n");
    for (const char* value : {"hunter2secret", "hunter3secret"}) {
      target.args["DB_PASSWORD"] = value;
      shop.build();
    }
    CHECK(shop.reason_of(c.line) == c.reason);
    for (const auto& [key, record] : shop.records()) {
      CHECK(record.inputs.text().find("hunter2secret") == std::string::npos);
      CHECK(record.inputs.text().find("hunter3secret") == std::string::npos);
    }
  }
}

TEST_CASE("what comes out as it was costs nothing above it") {
  Workshop shop;
  shop.runner.on("make one", [](const test::RunCall& call) { return call.write("made", "same"), 0; });
  shop.runner.on("make two", [](const test::RunCall& call) { return call.write("made", "same"), 0; });
  shop.dockerfile("FROM base\nRUN make one\nRUN after\n");
  shop.build();
  shop.ran();
  shop.dockerfile("FROM base\nRUN make two\nRUN after\n");
  CHECK(shop.build() == Steps{"built RUN make two", "hit RUN after"});
  CHECK(shop.ran() == Steps{"make two"});
}

TEST_CASE("a COPY is found over another base where its target is the same place") {
  Workshop shop;
  shop.context("a", "1");
  shop.bases.add("other", {{"other", "file"}});
  shop.dockerfile("FROM base\nCOPY a /\n");
  shop.build();
  shop.dockerfile("FROM other\nCOPY a /\n");
  CHECK(shop.build() == Steps{"hit COPY a /"});
}

TEST_CASE("what a COPY meets at its target is a reason of its own") {
  Workshop shop;
  shop.context("a", "1");
  shop.bases.add("other", {{"to/x", "to is a folder here"}});
  shop.dockerfile("FROM base\nCOPY a /to\n");
  shop.build();
  shop.dockerfile("FROM other\nCOPY a /to\n");
  CHECK(shop.build() == Steps{"built COPY a /to"});
  CHECK(shop.file("to/a") == "1");
}

TEST_CASE("without its cache a build executes everything, and what it made is found afterwards") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  shop.build();
  shop.evaluation.use_cache = false;
  CHECK(shop.build() == Steps{"built COPY a /", "built RUN make"});
  CHECK(shop.reason_of("RUN make") == "the cache was not to be used");
  shop.evaluation.use_cache = true;
  CHECK(shop.build() == Steps{"hit COPY a /", "hit RUN make"});
}

TEST_CASE("a target that says no-cache executes everything, and no other target does") {
  Workshop shop;
  shop.target("one", "FROM base\nRUN make one\n");
  shop.target("two", "FROM base\nRUN make two\n").no_cache = true;
  shop.build();
  CHECK(shop.build() == Steps{"hit RUN make one", "built RUN make two"});
}

TEST_CASE("stages that are named for it are executed, whatever the case of their names") {
  Workshop shop;
  shop.dockerfile("FROM base AS first\nRUN one\nFROM first AS second\nRUN two\n").no_cache_stages = {"FIRST"};
  shop.build();
  shop.ran();
  CHECK(shop.build() == Steps{"built RUN one", "hit RUN two"});
  CHECK(shop.ran() == Steps{"one"});
}

TEST_CASE("a stage without a name is stage-N for --no-cache-filter") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN one\n").no_cache_stages = {"stage-0"};
  shop.build();
  CHECK(shop.build() == Steps{"built RUN one"});
}

TEST_CASE("equal steps of two targets run once, and the second one says where it has it from") {
  Workshop shop;
  shop.context("a", "1");
  shop.target("one", "FROM base\nCOPY a /\nRUN make\n");
  shop.target("two", "FROM base\nCOPY a /\nRUN make\n");
  const Steps steps = shop.build();
  CHECK(shop.ran() == Steps{"make"});
  CHECK(std::count(steps.begin(), steps.end(), "built RUN make") == 1);
  CHECK(std::count(steps.begin(), steps.end(), "hit RUN make") == 1);
  for (const auto& heard : shop.heard().steps()) {
    if (heard.result.outcome == StepOutcome::hit) CHECK(heard.result.from == "this run");
  }
}

TEST_CASE("equal steps that fail, fail for both and ran once") {
  Workshop shop;
  shop.runner.on("make", [](const test::RunCall&) { return 7; });
  shop.target("one", "FROM base\nRUN make\n");
  shop.target("two", "FROM base\nRUN make\n");
  CHECK(shop.fail().category() == Category::build);
  CHECK(shop.ran() == Steps{"make"});
}

TEST_CASE("a hit says how long its step took when it was executed") {
  Workshop shop;
  shop.runner.on("make", [&](const test::RunCall& call) {
    shop.clock.pass(90);
    return call.write("made", ""), 0;
  });
  shop.dockerfile("FROM base\nRUN make\n");
  shop.build();
  shop.clock.pass(1000);
  CHECK(shop.build() == Steps{"hit RUN make"});
  CHECK(shop.heard().steps().at(0).result.seconds == 90);
}

TEST_CASE("a record whose layer has left the store is a miss that says so") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN make\n");
  shop.build();
  const std::string blob(shop.result().layers.back().value.blobs.front().descriptor.digest.hex());
  fs::remove(shop.store().home().blobs() / blob);
  CHECK(shop.build() == Steps{"built RUN make"});
  CHECK(shop.reason_of("RUN make").find("is no longer in the store") != std::string::npos);
}

TEST_CASE("another machine finds in the shared cache what one built, and fetches no layer that it does not need") {
  Workshop shop;
  shop.needed_here = false;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  shop.build();
  shop.share();
  shop.ran();
  shop.use_machine("two");
  CHECK(shop.build() == Steps{"hit COPY a /", "hit RUN make"});
  CHECK(shop.ran().empty());
  for (const auto& heard : shop.heard().steps())
    CHECK(heard.result.from == "folder '" + shop.shared_folder().native() + "'");
  CHECK_FALSE(shop.store().has(shop.result().layers.back().value.blobs.front().descriptor.digest));
  shop.needed_here = true;
  shop.build();
  CHECK(shop.store().has(shop.result().layers.back().value.blobs.front().descriptor.digest));
}

TEST_CASE("a step that is executed on another machine is unpacked from what the cache has below it") {
  Workshop shop;
  shop.runner.on("make", [](const test::RunCall& call) { return call.write("made", *call.read("a")), 0; });
  shop.runner.on("more", [](const test::RunCall& call) { return call.write("more", *call.read("made")), 0; });
  shop.context("a", "text");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  shop.build();
  shop.share();
  shop.use_machine("two");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\nRUN more\n");
  CHECK(shop.build() == Steps{"hit COPY a /", "hit RUN make", "built RUN more"});
  CHECK(shop.file("more") == "text");
}
