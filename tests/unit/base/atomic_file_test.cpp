#include "base/atomic_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("the destructor never commits") {
  const TempDir folder;
  {
    AtomicFile file(folder.path() / "f");
    file.write("never seen");
  }
  CHECK(list_directory(folder.path()).empty());
}

TEST_CASE("nothing of a file is seen before commit, all of it after") {
  const TempDir folder;
  const fs::path path = folder.path() / "f";
  write_file_atomically(path, "old");
  AtomicFile file(path);
  file.write("new ");
  file.write("content");
  CHECK(read_file(path) == "old");
  file.commit();
  CHECK(read_file(path) == "new content");
  CHECK(list_directory(folder.path()) == std::vector<std::string>{"f"});
}

TEST_CASE("two writers of one name do not meet, the last commit wins whole") {
  const TempDir folder;
  const fs::path path = folder.path() / "f";
  AtomicFile first(path), second(path);
  first.write("aaaa");
  second.write("bb");
  second.commit(Durability::ephemeral);
  first.commit(Durability::ephemeral);
  CHECK(read_file(path) == "aaaa");
}

TEST_CASE("a link under the temporary name is not written through") {
  const TempDir folder;
  const TempDir host;
  write_file_atomically(host.path() / "secret", "of the host");
  for (unsigned number = 0; number < 500; ++number) {
    const std::string name = ".f." + std::to_string(::getpid()) + "." + std::to_string(number) + ".tmp";
    fs::create_symlink(host.path() / (number % 2 == 0 ? "secret" : "absent"), folder.path() / name);
  }
  write_file_atomically(folder.path() / "f", "content");
  CHECK(read_file(folder.path() / "f") == "content");
  CHECK(fs::is_regular_file(fs::symlink_status(folder.path() / "f")));
  CHECK(read_file(host.path() / "secret") == "of the host");
  CHECK_FALSE(fs::exists(host.path() / "absent"));
}

TEST_CASE("a link that takes the folder's name meanwhile gets no file") {
  const TempDir top;
  make_directories(top.path() / "folder");
  make_directories(top.path() / "other");
  AtomicFile file(top.path() / "folder/f");
  file.write("content");
  fs::rename(top.path() / "folder", top.path() / "away");
  fs::create_directory_symlink("other", top.path() / "folder");
  file.commit();
  CHECK(read_file(top.path() / "away/f") == "content");
  CHECK(list_directory(top.path() / "other").empty());
}

TEST_CASE("the mode asked for is the file's") {
  const TempDir folder;
  const fs::path path = folder.path() / "secret";
  write_file_atomically(path, "x", Durability::ephemeral, 0600);
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a name that is a folder cannot be published, and no temporary file stays") {
  const TempDir folder;
  make_directories(folder.path() / "taken/inside");
  CHECK_ERROR(write_file_atomically(folder.path() / "taken", "x"), Category::machine,
              doctest::Contains("/taken': is a directory"));
  CHECK(list_directory(folder.path()) == std::vector<std::string>{"taken"});
}

TEST_CASE("a folder that is not there is named") {
  const TempDir folder;
  try {
    write_file_atomically(folder.path() / "absent/f", "x");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.category() == Category::machine);
    CHECK(error.message().find("absent/") != std::string::npos);
    CHECK(error.message().ends_with("no such file or directory"));
  }
}
