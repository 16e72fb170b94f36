// Layers that a cache promised and no place has: which steps are executed for them, and that nothing else is.
#include <doctest/doctest.h>

#include <atomic>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::RunCall;
using test::Steps;
using test::Workshop;

namespace {

// Builds on one machine, shares all of it, and goes to another machine.
void move_to_another_machine(Workshop& shop, Workshop::Layers layers = Workshop::Layers::all) {
  shop.build();
  shop.share(layers);
  shop.ran();
  shop.use_machine("two");
}

void lose_blobs(Workshop& shop) { fs::remove_all(shop.shared_folder() / "blobs"); }

void damage_blobs(Workshop& shop) {
  for (const auto& blob : fs::directory_iterator(shop.shared_folder() / "blobs/sha256"))
    write_file_atomically(blob.path(), "damaged", Durability::ephemeral);
}

int count_warnings(const Workshop& shop, const std::string& part) {
  int count = 0;
  for (const std::string& warning : shop.heard().warnings()) count += warning.find(part) != std::string::npos ? 1 : 0;
  return count;
}

constexpr const char* kLost = "no cache has its layer any more";

}  // namespace

TEST_CASE("an image whose layer is lost is made again before it is delivered, and it is said") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  CHECK(shop.build() == Steps{"hit COPY a /", "built COPY a /"});
  CHECK(shop.reason_of("COPY a /") == kLost);
  CHECK(count_warnings(shop, "no cache has the layer of 'COPY a /' any more; the step is executed again") == 1);
  CHECK(shop.file("a") == "1");
  CHECK(shop.build() == Steps{"hit COPY a /"});
}

TEST_CASE("a layer that is damaged is as good as lost where it is needed here") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\n");
  move_to_another_machine(shop);
  damage_blobs(shop);
  CHECK(shop.build() == Steps{"hit COPY a /", "built COPY a /"});
  CHECK(shop.file("a") == "1");
}

TEST_CASE("a layer that only has to be somewhere is asked for and not fetched") {
  Workshop shop;
  shop.needed_here = false;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\n");
  move_to_another_machine(shop);
  CHECK(shop.build() == Steps{"hit COPY a /"});
  CHECK_FALSE(shop.store().has(shop.result().layers.back().value.blobs.front().descriptor.digest));
  lose_blobs(shop);
  shop.use_machine("three");
  CHECK(shop.build() == Steps{"hit COPY a /", "built COPY a /"});
}

TEST_CASE("only the step whose layer is lost is executed again") {
  Workshop shop;
  shop.context("a", "1");
  shop.context("b", "2");
  shop.context("c", "3");
  shop.dockerfile("FROM base\nCOPY a /\nCOPY b /\nCOPY c /\n");
  shop.build();
  const std::string blob(shop.result().layers.at(2).value.blobs.front().descriptor.digest.hex());
  shop.share();
  shop.use_machine("two");
  fs::remove(shop.shared_folder() / "blobs/sha256" / blob);
  CHECK(shop.build() == Steps{"hit COPY a /", "hit COPY b /", "built COPY b /", "hit COPY c /"});
}

TEST_CASE("a RUN that stands on a lost layer waits for the step that makes it") {
  Workshop shop;
  shop.context("in", "text");
  shop.runner.on("make", [](const RunCall& call) { return call.write("out", call.read("in").value_or("")), 0; });
  shop.dockerfile("FROM base\nCOPY in /\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  shop.dockerfile("FROM base\nCOPY in /\nRUN make\n");
  CHECK(shop.build() == Steps{"hit COPY in /", "built COPY in /", "built RUN make"});
  CHECK(shop.ran() == Steps{"make"});
  CHECK(shop.file("out") == "text");
}

TEST_CASE("a lost RUN that comes out otherwise makes what stands on it another step") {
  Workshop shop;
  std::atomic<int> times{0};
  shop.runner.on("unstable", [&](const RunCall& call) { return call.write("out", std::to_string(++times)), 0; });
  shop.dockerfile("FROM base\nRUN unstable\nRUN after\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  const Steps steps = shop.build();
  CHECK(shop.ran() == Steps{"after", "unstable"});
  CHECK(steps.back() == "built RUN after");
  CHECK(shop.file("out") == "2");
}

TEST_CASE("a stage whose layers the cache left out is executed once a step needs its files, and not before") {
  Workshop shop;
  shop.context("in", "text");
  shop.context("other", "1");
  shop.runner.on("make", [](const RunCall& call) { return call.write("out", call.read("in").value_or("")), 0; });
  const std::string builder = "FROM base AS builder\nCOPY in /\nRUN make\nFROM base\n";
  shop.dockerfile(builder + "COPY --from=builder /out /\n");
  move_to_another_machine(shop, Workshop::Layers::none);
  // The image's own layer is not there either: the COPY is made again, and with it what it copies.
  const Steps steps = shop.build();
  CHECK(shop.ran() == Steps{"make"});
  CHECK(shop.file("out") == "text");
  CHECK(std::count(steps.begin(), steps.end(), "built RUN make") == 1);
  CHECK(std::count(steps.begin(), steps.end(), "built COPY in /") == 1);
}

TEST_CASE("with a record alone a stage is a hit that costs nothing, where the image does not need its files") {
  Workshop shop;
  shop.needed_here = false;
  shop.context("in", "text");
  shop.dockerfile("FROM base AS builder\nRUN make\nFROM base\nCOPY --from=builder /ran/make /\n");
  move_to_another_machine(shop, Workshop::Layers::of_images);
  CHECK(shop.build() == Steps{"hit RUN make", "hit COPY --from=builder /ran/make /"});
  CHECK(shop.ran().empty());
}

TEST_CASE("a stage that two others need is made again once, and both go on from it") {
  Workshop shop;
  shop.dockerfile(
      "FROM base AS common\nRUN common\nFROM common AS a\nRUN a\nFROM common AS b\nRUN b\n"
      "FROM scratch\nCOPY --from=a /ran/a /\nCOPY --from=b /ran/b /\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  shop.build();
  CHECK(shop.ran() == Steps{"a", "b", "common"});
  CHECK(shop.file("a") == "");
  CHECK(shop.file("b") == "");
}

TEST_CASE("targets that do not hold a lost layer are not looked at again") {
  Workshop shop;
  shop.context("a", "1");
  shop.context("b", "2");
  shop.target("one", "FROM base\nCOPY a /\n");
  shop.target("two", "FROM base\nCOPY b /\n");
  shop.build();
  const std::string blob(shop.result("one").layers.back().value.blobs.front().descriptor.digest.hex());
  shop.share();
  shop.use_machine("two");
  fs::remove(shop.shared_folder() / "blobs/sha256" / blob);
  CHECK(shop.build() == Steps{"hit COPY a /", "built COPY a /", "hit COPY b /"});
}

TEST_CASE("a target that is built on one whose layer is lost is solved on the new one") {
  Workshop shop;
  std::atomic<int> times{0};
  shop.runner.on("unstable", [&](const RunCall& call) { return call.write("out", std::to_string(++times)), 0; });
  shop.target("parent", "FROM base\nRUN unstable\n");
  shop.target("child", "FROM ghcr.io/acme/parent\nRUN child\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  shop.build({"child"});
  CHECK(shop.ran() == Steps{"child", "unstable"});
  CHECK(shop.file("out", "child") == "2");
}

TEST_CASE("a mount of a stage whose layers are lost waits for it") {
  Workshop shop;
  shop.runner.on("tools", [](const RunCall& call) { return call.write("x", "tool"), 0; });
  shop.runner.on("make", [](const RunCall& call) {
    return call.write("out", call.read_mount("/in", "x").value_or("nothing")), 0;
  });
  shop.dockerfile("FROM base AS tools\nRUN tools\nFROM base\nCOPY --from=tools /x /\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  shop.dockerfile("FROM base AS tools\nRUN tools\nFROM base\nRUN --mount=from=tools,target=/in make\n");
  shop.build();
  CHECK(shop.ran() == Steps{"make", "tools"});
  CHECK(shop.file("out") == "tool");
}

TEST_CASE("a failure beside a lost layer is the build's, and nothing is executed again for it") {
  Workshop shop;
  shop.context("a", "1");
  shop.dockerfile("FROM base\nCOPY a /\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  shop.runner.on("breaks", [](const RunCall&) { return 1; });
  shop.target("bad", "FROM base\nRUN breaks\n");
  CHECK(shop.fail().message().starts_with("bad/Dockerfile:2: "));
  CHECK(count_warnings(shop, "any more") == 0);
}

TEST_CASE("a Debian root whose layer is lost is made again for all that stand on it") {
  Workshop shop;
  const auto add = [&](const std::string& name, const std::string& text) {
    shop.target(name, text).debian = DebianRequest{"root", "bookworm", "minbase", {}, {}, "", "", "image.json"};
  };
  add("one", "FROM debian\nRUN one\n");
  add("two", "FROM debian\nRUN two\n");
  move_to_another_machine(shop);
  lose_blobs(shop);
  shop.build();
  CHECK(shop.ran() == Steps{"one", "two"});
  CHECK(shop.file("etc/debian_version", "one") == "1");
  CHECK(count_warnings(shop, "'DEBIAN bookworm'") == 1);
}
