#include "builder/init/workflow_builds.hpp"

#include <doctest/doctest.h>

#include "tests/unit/definitions/support/folder.hpp"

namespace {

using kiln::init::FoundBuilds;
using Args = std::map<std::string, std::string>;

FoundBuilds builds_of(const std::string& matrix, const std::string& with) {
  const kiln::test::Folder folder(
      {{"ci.yml", "jobs:\n  b:\n    strategy:\n      matrix:\n" + matrix +
                      "    steps:\n      - uses: docker/build-push-action@v6\n        with:\n" + with}});
  kiln::init::RepositoryFiles files;
  files.root = folder.path();
  files.workflows = {"ci.yml"};
  return kiln::init::workflow_builds(files, "acme/shop");
}

std::vector<Args> args_of(const std::string& matrix, const std::string& args) {
  std::string with = "          build-args: |\n" + args;
  std::vector<Args> result;
  for (const auto& build : builds_of(matrix, with).builds) result.push_back(build.target.args);
  return result;
}

}  // namespace

TEST_CASE("a matrix is all combinations of its lists without those that it excludes") {
  CHECK(args_of("        a: [1, 2]\n        b: [x, y]\n        exclude: [{a: 1, b: y}, {a: 2, c: 1}]\n",
                "            A=${{ matrix.a }}\n            B=${{ matrix.b }}\n") ==
        std::vector<Args>{{{"A", "1"}, {"B", "x"}}, {{"A", "2"}, {"B", "x"}}, {{"A", "2"}, {"B", "y"}}});
}

TEST_CASE("an include adds to the combinations whose values it does not change, or is one of its own") {
  CHECK(args_of("        a: [1, 2]\n        include: [{a: 1, v: one}, {w: all}, {a: 3, v: three}]\n",
                "            A=${{ matrix.a }}\n            V=${{ matrix.v }}\n            W=${{ matrix.w }}\n") ==
        std::vector<Args>{
            {{"A", "1"}, {"V", "one"}, {"W", "all"}}, {{"A", "2"}, {"W", "all"}}, {{"A", "3"}, {"V", "three"}}});
  CHECK(args_of("        include: [{a: 1}, {a: 2}]\n", "            A=${{ matrix.a }}\n") ==
        std::vector<Args>{{{"A", "1"}}, {{"A", "2"}}});
}

TEST_CASE("arguments that only a run knows, empty ones and secrets are named") {
  const auto found = builds_of("        a: [1]\n",
                               "          build-args: |\n            REV=${{ github.sha }}\n            EMPTY=\n"
                               "            NPM_TOKEN=abc\n\n            # why\n            A=${{ matrix.a }}\n");
  REQUIRE(found.builds.size() == 1);
  CHECK(found.builds[0].target.args == Args{{"A", "1"}});
  CHECK(found.notes == std::vector<std::string>{
                           "ci.yml:7: arguments whose value only a run knows, that are empty or look like secrets "
                           "are not written down: REV, EMPTY, NPM_TOKEN"});
}
