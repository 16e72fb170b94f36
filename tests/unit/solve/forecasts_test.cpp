// Forecasts: what the caches answer before anything is built, and that nothing is done for it.
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::Steps;
using test::Workshop;

TEST_CASE("a forecast of what was never built ends at each stage's first step, and runs nothing") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  CHECK(shop.foresee() == Steps{"miss COPY a /"});
  CHECK(shop.ran().empty());
  CHECK(shop.build() == Steps{"built COPY a /", "built RUN make"});
}

TEST_CASE("a forecast of what was built is hits alone") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  shop.build();
  shop.ran();
  CHECK(shop.foresee() == Steps{"hit COPY a /", "hit RUN make"});
  CHECK(shop.ran().empty());
}

TEST_CASE("a forecast tells where a change is met, and the build does just that") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nRUN before\nCOPY a /\nRUN after\n");
  shop.build();
  shop.context("a", "2");
  CHECK(shop.foresee() == Steps{"hit RUN before", "miss COPY a /"});
  CHECK(shop.build() == Steps{"hit RUN before", "built COPY a /", "built RUN after"});
}

TEST_CASE("stages are foreseen apart, and one that needs a missed one is not known") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile(
      "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM base\nCOPY --from=a /ran/a /\nCOPY --from=b /ran/b /\n");
  shop.build();
  shop.dockerfile(
      "FROM base AS a\nRUN a changed\nFROM base AS b\nRUN b\nFROM base\nCOPY --from=a /ran/a /\nCOPY --from=b /ran/b "
      "/\n");
  CHECK(shop.foresee() == Steps{"miss RUN a changed", "hit RUN b"});
}

TEST_CASE("children of a target that is missed are not known, others are") {
  Workshop shop;
  shop.target("parent", "FROM base\nRUN parent\n");
  shop.target("child", "FROM ghcr.io/acme/parent\nRUN child\n");
  shop.target("other", "FROM base\nRUN other\n");
  shop.build();
  shop.target("parent", "FROM base\nRUN parent changed\n");
  CHECK(shop.foresee() == Steps{"hit RUN other", "miss RUN parent changed"});
}

TEST_CASE("what would fail whatever is built first is a problem of its target, and no error") {
  Workshop shop;
  shop.target("bad", "FROM base\nCOPY missing /\n");
  shop.target("good", "FROM base\nRUN make\n");
  shop.build({"good"});
  CHECK(shop.foresee() == Steps{"hit RUN make"});
  REQUIRE(shop.problems.size() == 1);
  CHECK(shop.problems.at("bad") == Steps{"bad/Dockerfile:2: '/missing' is not in the build context"});
}

TEST_CASE("every image of a target that cannot be had is told with its line, once, and so is what else would fail") {
  Workshop shop;
  shop.target("app",
              "FROM acme/go AS build\nRUN make\n"
              "FROM acme/go AS test\nRUN test\n"
              "FROM base AS notes\nCOPY missing /\n"
              "FROM acme/unused AS unused\n"
              "FROM base\nCOPY --from=build /ran/make /\nCOPY --from=test /ran/test /\nCOPY --from=notes /missing /\n"
              "COPY --from=acme/tool:1 /t /\nRUN --mount=from=acme/data,target=/d use\n"
              "COPY --from=acme/tool:1 /u /\n");
  shop.target("late", "FROM base\nRUN first\nCOPY --from=acme/tool:1 /t /\n");
  shop.foresee();
  REQUIRE(shop.problems.size() == 2);
  CHECK(shop.problems.at("app") == Steps{"app/Dockerfile:1: there is no image 'acme/go'",
                                         "app/Dockerfile:6: '/missing' is not in the build context",
                                         "app/Dockerfile:12: there is no image 'acme/tool:1'",
                                         "app/Dockerfile:13: there is no image 'acme/data'"});
  CHECK(shop.problems.at("late") == Steps{"late/Dockerfile:3: there is no image 'acme/tool:1'"});
  CHECK(shop.ran().empty());
}

TEST_CASE("a forecast sees what a shared cache has, and fetches no layer") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  shop.build();
  const auto blob = shop.result().layers.back().value.blobs.front().descriptor.digest;
  shop.share();
  shop.use_machine("two");
  CHECK(shop.foresee() == Steps{"hit COPY a /", "hit RUN make"});
  CHECK_FALSE(shop.store().has(blob));
}

TEST_CASE("without its cache a step is foreseen as missed") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN make\n");
  shop.build();
  shop.evaluation.use_cache = false;
  CHECK(shop.foresee() == Steps{"miss RUN make"});
}

TEST_CASE("a forecast leaves the reasons of the next build as they were") {
  Workshop shop;
  shop.dockerfile("FROM base\nENV A=1\nRUN make\n");
  shop.build();
  shop.dockerfile("FROM base\nENV A=2\nRUN make\n");
  shop.foresee();
  shop.build();
  CHECK(shop.reason_of("RUN make") == "ENV A changed from '1' to '2'");
}

TEST_CASE("a Debian root that is missed is foreseen as one step, and what stands on it is not known") {
  Workshop shop;
  shop.dockerfile("FROM debian\nRUN make\n").debian =
      DebianRequest{"root", "bookworm", "minbase", {}, {}, "", "", "image.json"};
  CHECK(shop.foresee() == Steps{"miss DEBIAN bookworm"});
  shop.build();
  CHECK(shop.foresee() == Steps{"hit DEBIAN bookworm", "hit RUN make"});
}

TEST_CASE("a layer that must be read for the next key and is lost ends a forecast without a step to blame") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  shop.build();
  shop.share();
  shop.use_machine("two");
  fs::remove_all(shop.shared_folder() / "blobs");
  CHECK(shop.foresee() == Steps{"hit COPY a /"});
  CHECK(shop.problems.empty());
}
