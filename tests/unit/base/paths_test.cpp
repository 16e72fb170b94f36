#include "base/paths.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"

using namespace kiln;

TEST_CASE("clean_path shortens as Go's filepath.Clean does") {
  CHECK(clean_path("") == ".");
  CHECK(clean_path("./a//b/../c/.") == "a/c");
  CHECK(clean_path("../../a") == "../../a");
  CHECK(clean_path("/../a/") == "/a");
  CHECK(clean_path("a/..") == ".");
}

TEST_CASE("a path is inside of a folder by whole names") {
  CHECK(is_inside("/a/b", "/a/b"));
  CHECK(is_inside("/a/b/c", "/a/b"));
  CHECK(is_inside("/a/b/..c", "/a/b"));
  CHECK_FALSE(is_inside("/a/bc", "/a/b"));
  CHECK_FALSE(is_inside("/a", "/a/b"));
  CHECK_FALSE(is_inside("b/c", "/a/b"));
  CHECK(is_inside("/a", "/"));
}

TEST_CASE("links may lead out of a folder, at the end of a path and on its way") {
  const TempDir folder;
  const fs::path root = folder.path() / "root";
  make_directories(root / "in");
  make_directories(folder.path() / "out");
  write_file_atomically(root / "in/file", "1");
  write_file_atomically(folder.path() / "out/file", "2");
  fs::create_symlink("in", root / "stays");
  fs::create_symlink("../out", root / "leaves");
  fs::create_symlink(folder.path() / "out/file", root / "file");
  fs::create_symlink("nowhere", root / "dangling");
  CHECK_FALSE(leads_out(root, root));
  CHECK_FALSE(leads_out(root / "stays/file", root));
  CHECK(leads_out(root / "leaves", root));
  CHECK(leads_out(root / "leaves/file", root));
  CHECK(leads_out(root / "file", root));
  CHECK(leads_out(root / "../out/file", root));
  CHECK_FALSE(leads_out(root / "dangling", root));
}

TEST_CASE("an open descriptor is told from a file") {
  CHECK(is_open_descriptor("/dev/fd/63"));
  CHECK(is_open_descriptor("/proc/self/fd/3"));
  CHECK_FALSE(is_open_descriptor("/dev/fdx"));
  CHECK_FALSE(is_open_descriptor("dev/fd/3"));
}
