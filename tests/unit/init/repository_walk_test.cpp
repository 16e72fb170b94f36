#include "builder/init/repository_walk.hpp"

#include <doctest/doctest.h>

#include "tests/unit/definitions/support/folder.hpp"

namespace {

using kiln::init::is_dockerfile_name;
using kiln::init::RepositoryFiles;
using kiln::init::walk_repository;
using Names = std::vector<std::string>;

TEST_CASE("Dockerfiles are known by their names, and templates, ignore files and sources are none") {
  for (const char* name : {"Dockerfile", "dockerfile", "Dockerfile.gpu", "Dockerfile-dev", "api.Dockerfile",
                           "api.dockerfile", "Containerfile", "Containerfile.base"}) {
    CAPTURE(name);
    CHECK(is_dockerfile_name(name));
  }
  for (const char* name : {"Dockerfile.dockerignore", "Dockerfile.j2", "Dockerfile~", "dockerfile.go", "Dockerfiles",
                           "Dockerfile.", "mydockerfile", ".Dockerfile", "Dockerfile.md"}) {
    CAPTURE(name);
    CHECK_FALSE(is_dockerfile_name(name));
  }
}

TEST_CASE("files are sorted by what they say, and folders of other people's code are passed over") {
  const kiln::test::Folder folder({{"b/Dockerfile", ""},
                                   {"Dockerfile", ""},
                                   {"compose.yaml", ""},
                                   {"docker-bake.hcl", ""},
                                   {".github/workflows/ci.yml", ""},
                                   {"Makefile", ""},
                                   {"tools/build.sh", ""},
                                   {"node_modules/x/Dockerfile", ""},
                                   {".cache/Dockerfile", ""}});
  const RepositoryFiles files = walk_repository(folder.path());
  CHECK(files.dockerfiles == Names{"Dockerfile", "b/Dockerfile"});
  CHECK(files.compose_files == Names{"compose.yaml"});
  CHECK(files.bake_files == Names{"docker-bake.hcl"});
  CHECK(files.workflows == Names{".github/workflows/ci.yml"});
  CHECK(files.scripts == Names{"Makefile", "tools/build.sh"});
  CHECK(files.notes == Names{"folders that were not looked into: .cache, node_modules"});
}

TEST_CASE("a search that reaches a limit says so") {
  const kiln::test::Folder folder({{"a/b/c/Dockerfile", ""}, {"Dockerfile", ""}});
  const RepositoryFiles shallow = walk_repository(folder.path(), {1, 100, 100});
  CHECK(shallow.dockerfiles == Names{"Dockerfile"});
  REQUIRE(shallow.notes.size() == 1);
  CHECK(shallow.notes[0] == "'a/b' and what is as deep were not looked at: 1 folders are the most");
  const RepositoryFiles few = walk_repository(folder.path(), {16, 2, 100});
  REQUIRE(few.notes.size() == 1);
  CHECK(few.notes[0].starts_with("the search ended at "));
}

}  // namespace
