#include "builder/init/command_builds.hpp"

#include <doctest/doctest.h>

#include "tests/unit/definitions/support/folder.hpp"

namespace {

namespace fs = std::filesystem;
using kiln::init::FoundBuilds;
using Names = std::vector<std::string>;

const std::map<std::string, std::string> kDockerfiles = {
    {"Dockerfile", ""}, {"api/Dockerfile", ""}, {"web/Dockerfile", ""}, {"docker/base.Dockerfile", ""}};

FoundBuilds builds_of(const fs::path& folder, const std::string& text) {
  FoundBuilds found;
  kiln::init::add_command_builds(
      {"build.sh", text, 1, {folder}}, [](const std::string&) { return std::nullopt; }, found);
  return found;
}

TEST_CASE("a build's tags, Dockerfile, stage, arguments and context are read, over several lines") {
  const kiln::test::Folder folder(kDockerfiles);
  const auto found = builds_of(folder.path(),
                               "set -e\n"
                               "sudo docker buildx build --push --platform linux/amd64 -t acme/base:1 \\\n"
                               "  -f docker/base.Dockerfile --target run --build-arg A=1 --build-arg API_TOKEN=x .\n");
  REQUIRE(found.builds.size() == 1);
  const auto& build = found.builds[0];
  CHECK(build.origin == "build.sh:2");
  CHECK(build.tags == Names{"acme/base:1"});
  CHECK(*build.target.dockerfile == folder.path() / "docker/base.Dockerfile");
  CHECK(*build.target.context == folder.path());
  CHECK(build.target.stage == "run");
  CHECK(build.target.args == std::map<std::string, std::string>{{"A", "1"}});
}

TEST_CASE("what of a build is not taken over is said, once for all rounds of a loop") {
  const kiln::test::Folder folder(kDockerfiles);
  const auto found =
      builds_of(folder.path(),
                "for name in api web; do\n"
                "  docker build --build-arg REV=$(git rev-parse HEAD) --build-arg HTTP_PROXY --build-arg "
                "API_TOKEN=x --build-arg A=1 --platform linux/arm64 --secret id=npm --progress plain $name\n"
                "done\n");
  CHECK(found.builds.size() == 2);
  CHECK(found.notes == Names{"build.sh:2: arguments whose value only a run knows, that are empty or look like secrets "
                             "are not written down: REV, HTTP_PROXY, API_TOKEN",
                             "build.sh:2: not taken over, image.json has keys for it: --platform linux/arm64, --secret "
                             "id=npm"});
}

TEST_CASE("variables that the text sets are put in, others are unknown") {
  const kiln::test::Folder folder(kDockerfiles);
  const auto found = builds_of(folder.path(),
                               "REG ?= ghcr.io/acme\nexport NAME=\"api\"\n"
                               "docker build -t $(REG)/${NAME}:${TAG} -t $REG/api:${V:-7} -t x:$(shell date) api\n");
  REQUIRE(found.builds.size() == 1);
  CHECK(found.builds[0].tags == Names{"ghcr.io/acme/api:?", "ghcr.io/acme/api:7", "x:?"});
}

TEST_CASE("a loop is a build for each word, and cd changes where paths start") {
  const kiln::test::Folder folder(kDockerfiles);
  const auto found = builds_of(folder.path(),
                               "for n in api web; do\n  docker build -t acme/$n $n\ndone\n"
                               "cd api && docker build -t acme/again .\n");
  REQUIRE(found.builds.size() == 3);
  CHECK(found.builds[0].tags == Names{"acme/api"});
  CHECK(*found.builds[1].target.context == folder.path() / "web");
  CHECK(*found.builds[2].target.dockerfile == folder.path() / "api/Dockerfile");
}

TEST_CASE("a build whose Dockerfile is not there is named, and a comment is none") {
  const kiln::test::Folder folder(kDockerfiles);
  const auto found = builds_of(folder.path(), "# docker build -t a .\ndocker build -t acme/x nowhere\n");
  CHECK(found.builds.empty());
  REQUIRE(found.notes.size() == 1);
  CHECK(found.notes[0] ==
        "build.sh:2: which Dockerfile and context 'docker build -t acme/x nowhere' means is not clear: passed over");
}

}  // namespace
