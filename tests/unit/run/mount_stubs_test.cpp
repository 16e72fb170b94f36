#include "builder/run/mount_stubs.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

struct Image {
  TempDir top;
  fs::path root = top.path() / "root";
  fs::path stubs = top.path() / "stubs";
  Image() {
    make_directories(root / "etc");
    make_directories(stubs);
  }
  std::vector<std::string> make(const std::vector<MountPoint>& points) {
    make_mount_stubs(root, stubs, points);
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(stubs)) {
      names.push_back(entry.path().lexically_relative(stubs).native() + (entry.is_directory() ? "/" : ""));
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what the image has needs no stub") {
  Image image;
  write_file_atomically(image.root / "etc/hosts", "");
  CHECK(image.make({{"/etc", false}, {"/etc/hosts", true}}).empty());
}

TEST_CASE("missing files and folders are made with their parents") {
  Image image;
  CHECK(image.make({{"/etc/hosts", true}, {"//a/./b/../c/", false}, {"/a/c2/f", true}}) ==
        Names{"a/", "a/c/", "a/c2/", "a/c2/f", "etc/", "etc/hosts"});
}

TEST_CASE("a parent that the image has is repeated with its mode and time") {
  Image image;
  fs::permissions(image.root / "etc", static_cast<fs::perms>(02750));
  const timespec times[2] = {{1000, 5}, {2000, 7}};
  REQUIRE(::utimensat(AT_FDCWD, (image.root / "etc").c_str(), times, 0) == 0);
  REQUIRE(::utimensat(AT_FDCWD, image.root.c_str(), times, 0) == 0);
  image.make({{"/etc/hosts", true}});
  struct stat status {};
  REQUIRE(::stat((image.stubs / "etc").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 02750);
  CHECK(status.st_mtim.tv_sec == 2000);
  CHECK(status.st_mtim.tv_nsec == 7);
  REQUIRE(::stat(image.stubs.c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 2000);
}

TEST_CASE("links are followed inside the image, the last one too") {
  Image image;
  fs::create_symlink("/../../run/x", image.root / "etc/hosts");
  fs::create_symlink("etc", image.root / "conf");
  CHECK(image.make({{"/conf/hosts", true}, {"/conf/new", true}}) == Names{"etc/", "etc/new", "run/", "run/x"});
}

TEST_CASE("a target inside an earlier mount is left to the runtime") {
  Image image;
  CHECK(image.make({{"/dev", false}, {"/dev/shm/x", false}, {"/developer", false}}) == Names{"dev/", "developer/"});
}

TEST_CASE("a target that cannot be is the build's error") {
  Image image;
  write_file_atomically(image.root / "file", "");
  fs::create_symlink("loop", image.root / "loop");
  CHECK(error_of([&] {
          image.make({{"/file/below", true}});
        }) == "build: mount target '/file/below': '/file' is no folder");
  CHECK(error_of([&] { image.make({{"/loop", true}}); }) == "build: mount target '/loop': too many symbolic links");
  CHECK(error_of([&] {
          image.make({{"/etc", true}});
        }) == "build: mount target '/etc' is a folder in the image, and the mount's source is a file");
  CHECK(error_of([&] {
          image.make({{"/file", false}});
        }) == "build: mount target '/file' is no folder in the image, and the mount's source is a folder");
  CHECK(error_of([&] { image.make({{"/etc/..", false}}); }) == "build: mount target '/etc/..' is the root folder");
}
