#include "base/output_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("an output's file appears whole, and not at all without commit") {
  const TempDir folder;
  const fs::path path = folder.path() / "f";
  write_output_file(path, "old");
  {
    OutputFile file(path);
    file.write("new");
  }
  CHECK(read_file(path) == "old");
  write_output_file(path, "new");
  CHECK(read_file(path) == "new");
  CHECK(list_directory(folder.path()) == std::vector<std::string>{"f"});
}

TEST_CASE("a pipe, a device and a link to one are written to and stay") {
  const TempDir folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const Fd reader(::open(pipe.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  write_output_file(pipe, "text");
  char bytes[16];
  CHECK(::read(reader.get(), bytes, sizeof bytes) == 4);
  CHECK(fs::is_fifo(pipe));
  const fs::path link = folder.path() / "link";
  fs::create_symlink("/dev/null", link);
  write_output_file(link, "text");
  CHECK(fs::is_symlink(link));
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("an output that cannot be opened is named") {
  const TempDir folder;
  CHECK_ERROR(write_output_file(folder.path(), "x"), Category::machine, doctest::Contains("is a directory"));
}
