#include "builder/layer/beneath.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "base/file.hpp"
#include "base/temp_dir.hpp"

using namespace kiln;

TEST_CASE("a regular file below a folder is opened to be read, and nothing else is opened at all") {
  const TempDir folder;
  const fs::path path = folder.path();
  fs::create_directories(path / "etc/ssl");
  write_all(create_file(path / "etc/ssl/file"), "text", "file");
  fs::create_symlink("file", path / "etc/ssl/link");
  fs::create_symlink("ssl", path / "etc/way");
  REQUIRE(::mkfifo((path / "pipe").c_str(), 0600) == 0);
  const Fd root = open_directory(path);

  const Fd file = open_file_beneath(root, "etc/ssl/file");
  char bytes[8];
  REQUIRE(file);
  CHECK(::read(file.get(), bytes, sizeof bytes) == 4);
  CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);

  for (const char* name : {"etc/ssl", "etc/ssl/link", "pipe"}) {
    CAPTURE(name);
    CHECK_FALSE(open_file_beneath(root, name));
    CHECK(errno == EINVAL);
  }
  for (const char* name : {"none", "etc/way/file", "../x"}) {
    CAPTURE(name);
    CHECK_FALSE(open_file_beneath(root, name));
    CHECK(errno != EINVAL);
  }
  if (::mknod((path / "device").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) {
    CHECK_FALSE(open_file_beneath(root, "device"));
    CHECK(errno == EINVAL);
  }

  // Who waits to write into a pipe is let go by the first one that opens it to read.
  std::atomic<bool> is_waiting{false}, was_opened{false};
  std::thread writer([&] {
    is_waiting = true;
    const Fd end(::open((path / "pipe").c_str(), O_WRONLY | O_CLOEXEC));
    was_opened = true;
  });
  while (!is_waiting) ::usleep(1000);
  ::usleep(50'000);
  CHECK_FALSE(open_file_beneath(root, "pipe"));
  ::usleep(50'000);
  CHECK_FALSE(was_opened);
  const Fd reader(::open((path / "pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  writer.join();
}
