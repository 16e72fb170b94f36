#include "builder/run/upper_parts.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

struct Folders {
  Folders() {
    make_directories(from);
    make_directories(to);
  }
  void write(const std::string& path, const std::string& text) const {
    make_directories((from / path).parent_path());
    write_file_atomically(from / path, text, Durability::ephemeral);
  }
  std::vector<FileEntry> entries(const std::vector<std::string>& paths) {
    std::vector<FileEntry> chosen;
    for (FileEntry& entry : scan_upper(from, OverlayXattrs::user, MergedView(), pool).entries) {
      if (std::find(paths.begin(), paths.end(), entry.path) != paths.end()) chosen.push_back(std::move(entry));
    }
    return chosen;
  }
  static ::ino_t inode_of(const fs::path& path) { return status_of(path).st_ino; }
  static struct stat status_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status;
  }

  TempDir top;
  fs::path from = top.path() / "from";
  fs::path to = top.path() / "to";
  ThreadPool pool{2};
};

}  // namespace

TEST_CASE("entries are moved as they are, and their folders are made anew") {
  Folders folders;
  folders.write("a/b/one", "1");
  folders.write("a/b/two", "2");
  folders.write("a/other", "o");
  REQUIRE(::symlink("nowhere", (folders.from / "a/link").c_str()) == 0);
  REQUIRE(::link((folders.from / "a/b/one").c_str(), (folders.from / "a/b/three").c_str()) == 0);
  fs::permissions(folders.from / "a/b", fs::perms(0750));
  fs::permissions(folders.from, fs::perms(0711));
  const auto inode = Folders::inode_of(folders.from / "a/b/one");
  std::vector<FileEntry> entries = folders.entries({"a", "a/b", "a/b/one", "a/b/three", "a/link"});
  for (FileEntry& entry : entries) entry.mtime = 1000;
  move_entries(folders.from, folders.to, entries, OverlayXattrs::user, {});

  CHECK(Folders::inode_of(folders.to / "a/b/one") == inode);
  CHECK(Folders::inode_of(folders.to / "a/b/three") == inode);
  CHECK(fs::read_symlink(folders.to / "a/link") == "nowhere");
  CHECK((Folders::status_of(folders.to / "a/b").st_mode & 07777) == 0750);
  CHECK((Folders::status_of(folders.to).st_mode & 07777) == 0711);
  CHECK(Folders::status_of(folders.to / "a").st_mtim.tv_sec == 1000);
  CHECK(Folders::status_of(folders.to / "a/b").st_mtim.tv_sec == 1000);
  CHECK_FALSE(fs::exists(folders.to / "a/b/two"));
  CHECK(read_file(folders.from / "a/b/two") == "2");
  CHECK(read_file(folders.from / "a/other") == "o");
}

TEST_CASE("an entry that is not there any more is said") {
  Folders folders;
  folders.write("a/one", "1");
  const std::vector<FileEntry> entries = folders.entries({"a", "a/one"});
  fs::remove(folders.from / "a/one");
  CHECK_ERROR(move_entries(folders.from, folders.to, entries, OverlayXattrs::user, {}), Category::machine,
              doctest::Contains("cannot move 'a/one'"));
}
