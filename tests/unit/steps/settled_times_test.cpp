#include "builder/steps/settled_times.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/tree_scanner.hpp"

using namespace kiln;

namespace {

constexpr UnixSeconds kThen = 1700000000;
constexpr UnixSeconds kNew = 315532800;

class UpperFolder {
 public:
  void write(const std::string& path, const std::string& text) {
    make_directories((top_.path() / path).parent_path());
    write_file_atomically(top_.path() / path, text, Durability::ephemeral);
    set_time(path, kThen);
  }
  void set_time(const std::string& path, UnixSeconds seconds) {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (top_.path() / path).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  }
  UnixSeconds time_of(const std::string& path) const {
    struct stat status {};
    REQUIRE(::lstat((top_.path() / path).c_str(), &status) == 0);
    return status.st_mtim.tv_sec;
  }
  std::string text_of(const std::string& path) const { return read_file(top_.path() / path); }
  fs::path path() const { return top_.path(); }

  ScannedTree settle(const SettledTimes& to = {kNew, kNew + 1}) {
    ScannedTree tree = scan_upper(top_.path(), OverlayXattrs::trusted, MergedView(), pool_);
    settle_times(top_.path(), tree, to, {});
    return tree;
  }

 private:
  TempDir top_;
  ThreadPool pool_{2};
};

std::string bytes_of(std::uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

// Python 3.11's, for a source of a time and size; `flags` 0: it goes by them.
std::string bytecode(std::uint32_t flags, std::uint32_t time, std::uint32_t size) {
  return "\xa7\x0d\r\n" + bytes_of(flags) + bytes_of(time) + bytes_of(size) + "code";
}

// Python 3.11's for this source, that goes by its hash.
constexpr const char* kSource = "print('kiln')\n";
constexpr std::uint32_t kSourceSize = 14;
std::string hashed_bytecode() { return bytecode(3, 0xb6268ebc, 0xc18a5bd1); }

}  // namespace

TEST_CASE("everything of an upper folder gets one time, on disk and in the tree") {
  UpperFolder upper;
  upper.write("a/b/file", "f");
  upper.write("a/c", "f");
  upper.write("d", "f");
  REQUIRE(::symlink("nowhere", (upper.path() / "a/link").c_str()) == 0);
  REQUIRE(::mkfifo((upper.path() / "pipe").c_str(), 0600) == 0);
  REQUIRE(::link((upper.path() / "d").c_str(), (upper.path() / "e").c_str()) == 0);
  const ScannedTree tree = upper.settle();
  CHECK(tree.entries.size() == 8);
  for (const FileEntry& entry : tree.entries) {
    CAPTURE(entry.path);
    CHECK(entry.mtime == kNew);
    CHECK(upper.time_of(entry.path) == kNew);
  }
}

TEST_CASE("bytecode fits its source afterwards where it did before") {
  UpperFolder upper;
  upper.write("m/x.py", "12345");
  upper.write("m/__pycache__/x.cpython-311.pyc", bytecode(0, kThen, 5));
  upper.write("m/__pycache__/x.cpython-311.opt-1.pyc", bytecode(0, kThen - 9, 5));
  upper.write("m/y.py", "1");
  upper.write("m/y.pyc", bytecode(0, kThen, 1));
  upper.write("m/__pycache__/y.cpython-311.pyc", bytecode(3, 77, 88));
  upper.write("m/__pycache__/gone.cpython-311.pyc", bytecode(0, kThen, 5));
  upper.write("m/__pycache__/cut.cpython-311.pyc", "short");
  upper.write("m/cut.py", "");
  upper.settle();
  const std::string cache = "m/__pycache__/";
  CHECK(upper.text_of(cache + "x.cpython-311.pyc") == bytecode(0, kNew + 1, 5));
  CHECK(upper.text_of(cache + "x.cpython-311.opt-1.pyc") == bytecode(0, kThen - 9, 5));
  CHECK(upper.text_of("m/y.pyc") == bytecode(0, kNew + 1, 1));
  CHECK(upper.text_of(cache + "y.cpython-311.pyc") == bytecode(3, 77, 88));
  // Its source is in a lower layer, whose times stay.
  CHECK(upper.text_of(cache + "gone.cpython-311.pyc") == bytecode(0, kThen, 5));
  CHECK(upper.text_of(cache + "cut.cpython-311.pyc") == "short");
}

TEST_CASE("bytecode that goes by the hash of its source goes by its time afterwards") {
  UpperFolder upper;
  upper.write("m/x.py", kSource);
  upper.write("m/__pycache__/x.cpython-311.pyc", hashed_bytecode());
  upper.write("m/changed.py", "print('kilm')\n");
  upper.write("m/__pycache__/changed.cpython-311.pyc", hashed_bytecode());
  upper.settle();
  CHECK(upper.text_of("m/__pycache__/x.cpython-311.pyc") == bytecode(0, kNew + 1, kSourceSize));
  CHECK(upper.text_of("m/__pycache__/changed.cpython-311.pyc") == hashed_bytecode());
}

TEST_CASE("a source that bytecode was made of has a time that no other file gets") {
  UpperFolder upper;
  upper.write("m/x.py", kSource);
  upper.write("m/__pycache__/x.cpython-311.pyc", hashed_bytecode());
  upper.write("m/changed.py", "print('kilm')\n");
  upper.write("m/__pycache__/changed.cpython-311.pyc", hashed_bytecode());
  REQUIRE(::link((upper.path() / "m/x.py").c_str(), (upper.path() / "another.py").c_str()) == 0);
  const ScannedTree tree = upper.settle();
  for (const FileEntry& entry : tree.entries) {
    CAPTURE(entry.path);
    CHECK(entry.mtime == (entry.path == "m/x.py" || entry.path == "another.py" ? kNew + 1 : kNew));
    CHECK(upper.time_of(entry.path) == entry.mtime);
  }
}

TEST_CASE("bytecode that does not fit its source does not come to fit it by the new times") {
  for (const UnixSeconds time : {kNew, kNew + 1}) {
    UpperFolder upper;
    upper.write("m/x.py", kSource);
    upper.write("m/__pycache__/x.cpython-311.pyc", bytecode(0, static_cast<std::uint32_t>(time), kSourceSize));
    upper.settle();
    CHECK(upper.text_of("m/__pycache__/x.cpython-311.pyc") == bytecode(0, 0xffffffff, kSourceSize));
  }
}

TEST_CASE("where nothing may be newer than a time, bytecode that goes by a hash stays as it is") {
  UpperFolder upper;
  upper.write("m/x.py", kSource);
  upper.write("m/__pycache__/x.cpython-311.pyc", hashed_bytecode());
  upper.write("m/y.py", "1");
  upper.write("m/__pycache__/y.cpython-311.pyc", bytecode(0, kThen, 1));
  upper.settle({kNew, std::nullopt});
  CHECK(upper.text_of("m/__pycache__/x.cpython-311.pyc") == hashed_bytecode());
  CHECK(upper.text_of("m/__pycache__/y.cpython-311.pyc") == bytecode(0, kNew, 1));
  CHECK(upper.time_of("m/y.py") == kNew);
}
