#include "builder/run/mount_stubs.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

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

TEST_CASE("what the kernel or the runtime has in every container is no target of a mount") {
  Image image;
  for (const char* target : {"/proc", "/dev", "/proc/x", "/"}) {
    CAPTURE(target);
    CHECK(error_of([&] {
            image.make({{target, false}});
          }).starts_with("build: mount target '" + std::string(target) + "' is "));
  }
  CHECK(image.make({{"/dev/x", false}}) == Names{"dev/", "dev/x/"});
}

TEST_CASE("a command does not begin in what the kernel lists of open files") {
  Image image;
  make_directories(image.root / "work/proc");
  fs::create_symlink("/proc/self", image.root / "work/process");
  fs::create_symlink("loop", image.root / "loop");
  for (const char* folder : {"/", "/work", "/work/proc", "/work/new/proc", "/dev/shm", "/loop", "/etc/../work"}) {
    CAPTURE(folder);
    check_working_folder(image.root, folder);
  }
  for (const char* folder : {"/proc/self/fd/8", "/proc", "/work/process/fd/8", "/work/../proc/self/cwd", "/dev/fd/8"}) {
    CAPTURE(folder);
    CHECK(error_of([&] {
            check_working_folder(image.root, folder);
          }).starts_with("build: working folder '" + std::string(folder) + "' is '/"));
  }
  CHECK(error_of([&] { check_working_folder(image.root, "/work/process/fd/8"); }) ==
        "build: working folder '/work/process/fd/8' is '/proc/self/fd/8', the kernel's list of open files and "
        "processes, which could lead out of the container; choose another by WORKDIR");
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
  CHECK(image.make({{.target = "/dev", .is_standard = true}, {"/dev/shm/x", false}, {"/developer", false}}) ==
        Names{"dev/", "developer/"});
}

namespace {

// What is said about an image; it must be the image that is at fault.
std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.category() == Category::build);
    return error.message();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a target that cannot be is the build's error") {
  Image image;
  write_file_atomically(image.root / "file", "");
  fs::create_symlink("loop", image.root / "loop");
  CHECK(error_of([&] {
          image.make({{"/file/below", true}});
        }) == "build: mount target '/file/below': '/file' is no folder");
  fs::create_symlink("proc", image.root / "processes");
  for (const std::string target : {"/proc", "/dev", "/dev/null", "/processes"}) {
    CHECK(error_of([&] {
            image.make({{target, false}});
          }) == "build: mount target '" + target + "' is " + (target.starts_with("/dev") ? target : "/proc") +
                    "'s place in every container; choose another");
  }
  CHECK(error_of([&] { image.make({{"/loop", true}}); }) == "build: mount target '/loop': too many symbolic links");
  CHECK(error_of([&] {
          image.make({{"/etc", true}});
        }) == "build: mount target '/etc' is a folder in the image, and the mount's source is a file");
  CHECK(error_of([&] {
          image.make({{"/file", false}});
        }) == "build: mount target '/file' is no folder in the image, and the mount's source is a folder");
  CHECK(error_of([&] { image.make({{"/etc/..", false}}); }) == "build: mount target '/etc/..' is the root folder");
}

TEST_CASE("a link where the runtime mounts by itself is refused, wherever it leads") {
  for (const char* link : {"/somewhere/on/the/host", "../../outside", "etc", "nowhere", "/"}) {
    CAPTURE(link);
    Image image;
    fs::create_symlink(link, image.root / "dev");
    CHECK(
        refusal([&] { image.make({{.target = "/dev", .is_standard = true}}); }) ==
        "'/dev' is a symbolic link in the image, which the container runtime could follow out of it; make it a folder "
        "in the base image or the stage");
  }
  Image image;
  CHECK(image.make({{.target = "/dev", .is_standard = true}}) == Names{"dev/"});
  make_directories(image.root / "sys");
  CHECK(image.make({{.target = "/sys", .is_standard = true}}) == Names{"dev/"});
  write_file_atomically(image.root / "proc", "");
  CHECK(refusal([&] { image.make({{.target = "/proc", .is_standard = true}}); }) ==
        "mount target '/proc' is no folder in the image, and the mount's source is a folder");
}

TEST_CASE("user files that the runtime would wait for, or read a device in place of, are refused") {
  Image image;
  CHECK_NOTHROW(check_user_files(image.root));
  write_file_atomically(image.root / "etc/passwd", "");
  make_directories(image.root / "etc/group");
  CHECK_NOTHROW(check_user_files(image.root));
  fs::remove(image.root / "etc/group");
  REQUIRE(::mkfifo((image.root / "etc/pipe").c_str(), 0600) == 0);
  fs::create_symlink("/etc/pipe", image.root / "etc/group");
  CHECK(refusal([&] { check_user_files(image.root); }) ==
        "'/etc/group' of the image is a FIFO, expected a file: the container runtime reads it before it starts a "
        "command");
  fs::remove(image.root / "etc/group");
  fs::create_symlink("../../proc/kmsg", image.root / "etc/group");
  CHECK(
      refusal([&] { check_user_files(image.root); }) ==
      "'/etc/group' of the image leads to '/proc/kmsg', where the container runtime, which reads it, mounts something "
      "else; make it a file");
  for (const char* link : {"group", "/etc/passwd/below", "nowhere"}) {
    fs::remove(image.root / "etc/group");
    fs::create_symlink(link, image.root / "etc/group");
    CHECK_NOTHROW(check_user_files(image.root));
  }
}
