#include "base/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("a descriptor closes once and moves") {
  const TempDir folder;
  int number;
  {
    Fd a = create_file(folder.path() / "f");
    number = a.get();
    Fd b = std::move(a);
    CHECK_FALSE(a);
    CHECK(b.get() == number);
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(::fcntl(number, F_GETFD) == -1);
}

TEST_CASE("a file is read whole, or refused above the size allowed") {
  const TempDir folder;
  const fs::path path = folder.path() / "f";
  const std::string text(200000, 'x');
  write_file_atomically(path, text);
  CHECK(read_file(path) == text);
  CHECK(read_file(path, text.size()) == text);
  CHECK_ERROR(read_file(path, text.size() - 1), Category::machine,
              doctest::Contains("is larger than the 199999 bytes allowed for it"));
  CHECK(fs::file_size(path) == text.size());
}

TEST_CASE("a huge file is refused without taking memory for it") {
  const TempDir folder;
  const fs::path path = folder.path() / "sparse";
  const Fd fd = create_file(path);
  REQUIRE(::ftruncate(fd.get(), off_t{1} << 40) == 0);
  CHECK_ERROR(read_file(path, 1000), Category::machine, doctest::Contains("larger than the 1000 bytes"));
}

TEST_CASE("a note that is not there or too large is none") {
  const TempDir folder;
  write_file_atomically(folder.path() / "f", "12345");
  CHECK_FALSE(read_note(folder.path() / "absent", 5));
  CHECK(read_note(folder.path() / "f", 5) == "12345");
  CHECK_FALSE(read_note(folder.path() / "f", 4));
  CHECK_ERROR(read_note(folder.path(), 5), Category::machine, doctest::Contains("is a directory"));
}

TEST_CASE("a file that is not there is nothing for read_file_if_exists and an error for read_file") {
  const TempDir folder;
  write_file_atomically(folder.path() / "f", "");
  CHECK_FALSE(read_file_if_exists(folder.path() / "absent"));
  CHECK_FALSE(read_file_if_exists(folder.path() / "f/below-a-file"));
  CHECK(read_file_if_exists(folder.path() / "f") == "");
  CHECK_ERROR(read_file(folder.path() / "absent"), Category::machine,
              doctest::Contains("/absent': no such file or directory"));
  CHECK_ERROR(read_file_if_exists(folder.path()), Category::machine, doctest::Contains("is a directory"));
}

TEST_CASE("bytes are written where they belong") {
  const TempDir folder;
  const fs::path path = folder.path() / "f";
  const Fd fd = create_file(path);
  write_all(fd, "hello", "f");
  pwrite_all(fd, "J", 0, "f");
  pwrite_all(fd, "!", 6, "f");
  CHECK(read_file(path) == std::string("Jello\0!", 7));
}

TEST_CASE("folders are listed in order, whatever their entries are called") {
  const TempDir folder;
  for (const char* name : {"b", "a", ".hidden", "\xff\xfe"}) write_file_atomically(folder.path() / name, "");
  CHECK(list_directory(folder.path()) == std::vector<std::string>{".hidden", "a", "b", "\xff\xfe"});
  CHECK_ERROR(list_directory(folder.path() / "absent"), Category::machine,
              doctest::Contains("/absent': no such file or directory"));
  CHECK_ERROR(list_directory(folder.path() / "a"), Category::machine, doctest::Contains("/a': not a directory"));
}

TEST_CASE("folders are made with those above them, and a file in the way is an error") {
  const TempDir folder;
  make_directories(folder.path() / "a/b/c");
  make_directories(folder.path() / "a/b/c");
  CHECK(fs::is_directory(folder.path() / "a/b/c"));
  write_file_atomically(folder.path() / "f", "");
  CHECK_ERROR(make_directories(folder.path() / "f/g"), Category::machine, doctest::Contains("/f/g': not a directory"));
  CHECK_ERROR(make_directories(folder.path() / "f"), Category::machine, doctest::Contains("/f': not a directory"));
}

TEST_CASE("a tree is removed without following links, whatever its modes") {
  const TempDir folder;
  const fs::path tree = folder.path() / "tree", outside = folder.path() / "outside";
  make_directories(tree / "closed/inner");
  make_directories(outside);
  write_file_atomically(outside / "precious", "x");
  write_file_atomically(tree / "closed/inner/f", "x");
  fs::create_directory_symlink(outside, tree / "link");
  fs::create_symlink("nowhere", tree / "dangling");
  REQUIRE(::mkfifo((tree / "fifo").c_str(), 0600) == 0);
  REQUIRE(::chmod((tree / "closed/inner").c_str(), 0000) == 0);
  REQUIRE(::chmod((tree / "closed").c_str(), 0500) == 0);
  remove_tree(tree);
  CHECK_FALSE(fs::exists(tree));
  CHECK(fs::exists(outside / "precious"));
}

TEST_CASE("removing a link removes the link, a file the file, nothing nothing") {
  const TempDir folder;
  make_directories(folder.path() / "d");
  fs::create_directory_symlink(folder.path() / "d", folder.path() / "link");
  remove_tree(folder.path() / "link");
  CHECK(fs::exists(folder.path() / "d"));
  write_file_atomically(folder.path() / "f", "");
  remove_tree(folder.path() / "f");
  CHECK(list_directory(folder.path()) == std::vector<std::string>{"d"});
  CHECK_NOTHROW(remove_tree(folder.path() / "absent"));
}

TEST_CASE("a tree deeper than a process may have files open is removed") {
  const TempDir folder;
  const fs::path tree = folder.path() / "deep";
  make_directories(tree);
  Fd at = open_directory(tree);
  for (int level = 0; level < 400; ++level) {
    REQUIRE(::mkdirat(at.get(), "d", 0755) == 0);
    at = Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (level % 100 == 0) create_file("/proc/self/fd/" + std::to_string(at.get()) + "/file");
  }
  at.reset();
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few{200, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  remove_tree(tree);
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK_FALSE(fs::exists(tree));
}

TEST_CASE("a FIFO is refused at once instead of waited for, but for one that this process was handed") {
  const TempDir folder;
  const fs::path fifo = folder.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_ERROR(read_file(fifo), Category::machine, ("'" + fifo.native() + "' is a FIFO, expected a file").c_str());
  CHECK_ERROR(open_read(fifo), Category::machine, doctest::Contains("is a FIFO, expected a file"));
  CHECK_ERROR(read_file_if_exists(fifo), Category::machine, doctest::Contains("is a FIFO, expected a file"));
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd out(ends[0]);
  Fd in(ends[1]);
  write_all(in, "handed over", "pipe");
  in.reset();
  CHECK(read_file("/dev/fd/" + std::to_string(out.get())) == "handed over");
}
