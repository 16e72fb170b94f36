#include "builder/dockerfile/text_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::dockerfile;

namespace {

void write(const fs::path& path, std::string_view text) { write_all(create_file(path), text, path.native()); }

std::string refusal_of(const fs::path& file, const std::optional<fs::path>& inside = {}) {
  try {
    read_text_file(file, inside);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return {};
}

}  // namespace

TEST_CASE("a text file is read, and passed over where there is none or a folder") {
  const TempDir folder;
  write(folder.path() / "file", "text\n");
  fs::create_directory(folder.path() / "folder");
  CHECK(read_text_file(folder.path() / "file") == "text\n");
  CHECK_FALSE(read_text_file(folder.path() / "folder"));
  CHECK_FALSE(read_text_file(folder.path() / "none"));
  CHECK_FALSE(read_text_file(folder.path() / "file/none"));
}

TEST_CASE("a pipe, a device, a file without end and a link to itself are refused at once") {
  const TempDir folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(refusal_of(pipe) == "'" + pipe.native() + "' is a pipe or a device, expected a file");
  CHECK(refusal_of("/dev/zero") == "'/dev/zero' is a pipe or a device, expected a file");
  const fs::path large = folder.path() / "large";
  write(large, "x");
  fs::resize_file(large, std::uintmax_t{1} << 40);
  CHECK(refusal_of(large) == "'" + large.native() + "' is larger than 16777216 bytes");
  fs::create_symlink("loop", folder.path() / "loop");
  CHECK(refusal_of(folder.path() / "loop").find("is a link that leads to itself") != std::string::npos);
}

TEST_CASE("a link may not lead out of a folder that strangers filled") {
  const TempDir folder, other;
  write(other.path() / "secret", "secret");
  write(folder.path() / "file", "text");
  fs::create_symlink(other.path() / "secret", folder.path() / "out");
  fs::create_symlink("file", folder.path() / "in");
  CHECK(read_text_file(folder.path() / "in", folder.path()) == "text");
  CHECK(read_text_file(folder.path() / "out") == "secret");
  CHECK(refusal_of(folder.path() / "out", folder.path()).find("is a link that leads out of its source") !=
        std::string::npos);
}

TEST_CASE("the ignore file of a Dockerfile goes before the context's") {
  const TempDir folder;
  const fs::path dockerfile = folder.path() / "app.Dockerfile";
  CHECK_FALSE(read_ignore_file_of(dockerfile, folder.path()));
  write(folder.path() / ".dockerignore", "shared");
  CHECK(read_ignore_file_of(dockerfile, folder.path())->text == "shared");
  write(folder.path() / "app.Dockerfile.dockerignore", "own");
  CHECK(read_ignore_file_of(dockerfile, folder.path())->name == dockerfile.native() + ".dockerignore");
}

TEST_CASE("what is named as a file of a source stays in it, and what is elsewhere is the caller's own") {
  const TempDir context, other;
  write(other.path() / "ignore", "theirs");
  CHECK(lies_in(context.path() / "a/../Dockerfile", context.path()));
  CHECK_FALSE(lies_in(context.path() / "../Dockerfile", context.path()));
  fs::create_symlink(other.path() / "ignore", other.path() / "Dockerfile.dockerignore");
  CHECK(read_ignore_file_of(other.path() / "Dockerfile", context.path(), context.path())->text == "theirs");
  fs::create_symlink(other.path() / "ignore", context.path() / ".dockerignore");
  CHECK_ERROR(read_ignore_file_of(context.path() / "Dockerfile", context.path(), context.path()), Category::usage,
              doctest::Contains("is a link that leads out of its source"));
}
