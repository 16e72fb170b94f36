#include "base/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/file.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("a temporary folder goes with all it holds") {
  fs::path path;
  {
    const TempDir folder;
    path = folder.path();
    make_directories(path / "a/b");
    write_file_atomically(path / "a/b/c", "x");
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("moving hands the folder over") {
  TempDir first;
  const fs::path path = first.path();
  {
    const TempDir second = std::move(first);
    CHECK(second.path() == path);
    CHECK(fs::exists(path));
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a folder that was released stays") {
  const TempDir parent;
  fs::path kept;
  {
    TempDir folder(parent.path(), "kept-");
    kept = folder.release();
    CHECK(folder.path().empty());
  }
  CHECK(fs::is_directory(kept));
  CHECK(kept.filename().native().starts_with("kept-"));
}

TEST_CASE("a folder is locked as long as it lives, and no longer") {
  const TempDir parent;
  fs::path kept;
  {
    TempDir folder(parent.path());
    const Fd other = open_directory(folder.path());
    CHECK(::flock(other.get(), LOCK_EX | LOCK_NB) != 0);
    kept = folder.release();
  }
  const Fd other = open_directory(kept);
  CHECK(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);
}

TEST_CASE("a parent that is not there is an error that names it") {
  CHECK_ERROR(TempDir("/no/such/parent"), Category::machine, doctest::Contains("/no/such/parent"));
}
