#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/check_error.hpp"
#include "tests/unit/build/build_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

const oci::Platform kOnePlatform = oci::Platform::parse("linux/amd64");
const oci::Platform kOtherPlatform = oci::Platform::parse("linux/arm64");

// A fleet of one image for two platforms that is to be pushed.
TargetSpec& for_two_platforms(BuildFixture& fixture, const std::string& name, const std::string& text) {
  TargetSpec& spec = fixture.target(name, text);
  spec.platforms = {kOnePlatform, kOtherPlatform};
  fixture.request.delivery.push = true;
  return spec;
}

}  // namespace

TEST_CASE("one platform of several is pushed under a tag of its own, after the cache, and named nowhere else") {
  BuildFixture fixture;
  fixture.share();
  for_two_platforms(fixture, "app", "FROM base\nRUN make\n");
  fixture.request.only_platform = kOtherPlatform;
  const BuildResult result = fixture.build();
  CHECK(fixture.steps() == Steps{"built RUN make"});
  REQUIRE(result.targets.at(0).images.size() == 1);
  CHECK(result.targets[0].images[0].image.image.platform == kOtherPlatform);
  CHECK(result.targets[0].names == Names{fixture.reference("acme/app")});
  const std::string last = fixture.events().back();
  CHECK(last.starts_with("pushed acme/app:inputs-"));
  CHECK(last.ends_with("-linux-arm64"));
  CHECK(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.pushed(last.substr(7)) == result.targets[0].root.digest.str());
  CHECK(fixture.named().empty());
}

TEST_CASE("a platform that is not pushed is the image, as if its target had no other") {
  BuildFixture fixture;
  for_two_platforms(fixture, "app", "FROM scratch\nRUN make\n");
  fixture.request.delivery.push = false;
  fixture.request.only_platform = kOtherPlatform;
  CHECK(fixture.build().targets.at(0).images.size() == 1);
  CHECK(fixture.named() == Names{"acme/app:1"});
}

TEST_CASE("a target for one platform is built as ever where that is asked for, and no other is built") {
  BuildFixture fixture;
  fixture.target("app", "FROM scratch\nRUN make\n").platforms = {kOnePlatform};
  fixture.request.delivery.push = true;
  fixture.request.only_platform = kOnePlatform;
  fixture.build();
  CHECK(fixture.events().back() == "pushed acme/app:1");
  fixture.request.only_platform = kOtherPlatform;
  CHECK_ERROR(fixture.build(), Category::usage, "target 'app' is not built for linux/arm64 but for linux/amd64");
}

TEST_CASE("platforms that are pushed apart have one form") {
  BuildFixture fixture;
  for_two_platforms(fixture, "app", "FROM scratch\nRUN make\n").outputs = {"type=registry",
                                                                           "type=registry,compression=zstd"};
  fixture.request.only_platform = kOnePlatform;
  CHECK_ERROR(fixture.build(), Category::usage,
              "target 'app' is pushed in 2 forms, and its platforms can be pushed apart in one only");
}

TEST_CASE("a pin to an index holds the platform that is needed, annotated as it was pushed") {
  BuildFixture fixture;
  fixture.share();
  for_two_platforms(fixture, "parent", "FROM base\nRUN make\n").annotations = {"index,manifest:a=b"};
  fixture.build();
  const std::string index = fixture.pushed("acme/parent:1");
  REQUIRE_FALSE(index.empty());

  for_two_platforms(fixture, "app", "FROM parent\nRUN more\n").contexts = {{"parent", "target:parent"}};
  fixture.request.only_platform = kOtherPlatform;
  fixture.request.delivery.pins = {"parent=" + fixture.reference("acme/parent@" + index)};
  fixture.use_machine("two");
  fixture.build({"app"});
  Steps steps = fixture.steps();
  std::sort(steps.begin(), steps.end());
  CHECK(steps == Steps{"built RUN more", "hit RUN make"});

  for_two_platforms(fixture, "parent", "FROM base\nRUN make otherwise\n").annotations = {"index,manifest:a=b"};
  const Error error = fixture.fail({"app"});
  CHECK(error.category() == Category::build);
  CHECK(error.message().starts_with("'parent' comes out as sha256:"));
  CHECK(error.message().find(" for linux/arm64 here, but is pinned to sha256:") != std::string::npos);
}

TEST_CASE("a pin to an index without the platform that is needed does not hold") {
  BuildFixture fixture;
  fixture.share();
  TargetSpec& parent = for_two_platforms(fixture, "parent", "FROM base\nRUN make\n");
  fixture.build();
  const std::string index = fixture.pushed("acme/parent:1");
  parent.platforms.push_back(oci::Platform::parse("linux/riscv64"));
  fixture.target("app", "FROM parent\n").contexts = {{"parent", "target:parent"}};
  fixture.target("app", "FROM parent\n").platforms = {oci::Platform::parse("linux/riscv64")};
  fixture.request.delivery.pins = {"parent=" + fixture.reference("acme/parent@" + index)};
  const Error error = fixture.fail({"app"});
  CHECK(error.category() == Category::build);
  CHECK(error.message().starts_with(
      "'parent' comes out for linux/riscv64 here, but is pinned to an index of linux/amd64, linux/arm64 ("));
}
