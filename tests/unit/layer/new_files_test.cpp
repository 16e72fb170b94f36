#include "builder/layer/new_files.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/temp_dir.hpp"

using namespace kiln;

namespace {

struct stat created_with(const Fd& folder, const char* name, mode_t mode) {
  const Fd file(::openat(folder.get(), name, O_WRONLY | O_CREAT | O_EXCL, mode));
  REQUIRE(file);
  struct stat info {};
  REQUIRE(::fstat(file.get(), &info) == 0);
  return info;
}

}  // namespace

TEST_CASE("what a new file is said to have is what the kernel gives it") {
  const TempDir dir;
  const Fd folder = open_directory(dir.path());
  const NewFiles files(folder);
  for (const mode_t mode : {0644, 0755, 0600, 0666, 0777, 0400, 0664}) {
    CAPTURE(mode);
    const std::string name = "mode-" + std::to_string(mode);
    const struct stat info = created_with(folder, name.c_str(), mode);
    CHECK(files.take_mode(mode) == ((info.st_mode & 07777) == mode));
    CHECK(files.have_owner(info.st_uid, info.st_gid));
  }
  CHECK_FALSE(files.take_mode(04755));
  CHECK_FALSE(files.have_owner(::geteuid() + 1, ::getegid()));
  CHECK_FALSE(files.have_owner(::geteuid(), ::getegid() + 1));
}

TEST_CASE("below a set-group-ID folder nothing is said of the owner") {
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 02755) == 0);
  const NewFiles files(open_directory(dir.path()));
  CHECK_FALSE(files.have_owner(::geteuid(), ::getegid()));
}
