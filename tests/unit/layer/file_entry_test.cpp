#include "builder/layer/file_entry.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

TEST_CASE("a folder's contents follow it at once, before names that only begin like it") {
  std::vector<std::string> paths{"a-b", "a", "b", "a/b", "", "a.c", "a/b/c", "a/b-c", "\xff", "z"};
  std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) { return compare_paths(a, b) < 0; });
  CHECK(paths == std::vector<std::string>{"", "a", "a/b", "a/b/c", "a/b-c", "a-b", "a.c", "b", "z", "\xff"});
}

TEST_CASE("an opaque marker follows its folder's entry and comes before what the folder holds") {
  const auto marker = entry_of("a", EntryType::opaque);
  CHECK(entry_before(folder_of("a"), marker));
  CHECK_FALSE(entry_before(marker, folder_of("a")));
  CHECK(entry_before(marker, folder_of("a/b")));
}

TEST_CASE("names become relative and lose what says nothing") {
  CHECK(canonical_entry_path("/usr//bin/./x/", "t") == "usr/bin/x");
  CHECK(canonical_entry_path("./", "t") == "");
  CHECK(canonical_entry_path("..a/b..", "t") == "..a/b..");
  CHECK(canonical_entry_path("a/b/../../c", "t") == "c");
  CHECK(canonical_entry_path("a/../../etc/../x", "t", AboveTop::stay) == "x");
  CHECK(canonical_entry_path("../..", "t", AboveTop::stay) == "");
  CHECK(canonical_entry_path("caf\xe9", "t") == "caf\xe9");
}

TEST_CASE("names that lead out, hold NUL or are too long are refused with the place") {
  CHECK(message_of([] { canonical_entry_path("a/../../etc", "layer 'x'"); }) ==
        "layer 'x': the name 'a/../../etc' leads out of its folder by '..'");
  CHECK_ERROR(canonical_entry_path(std::string("a\0b", 3), "t"), Category::build,
              "t: the name 'a\\x00b' holds a NUL byte");
  CHECK_ERROR(canonical_entry_path(std::string(256, 'x'), "t"), Category::build,
              doctest::Contains("has a component of more than 255 bytes"));
  std::string deep;
  for (int i = 0; i < 2100; ++i) deep += "d/";
  CHECK_ERROR(canonical_entry_path(deep, "t"), Category::build, doctest::Contains("is longer than 4096 bytes"));
}

TEST_CASE("canonical paths are recognised") {
  CHECK(is_canonical_entry_path(""));
  CHECK(is_canonical_entry_path("a/b"));
  for (const char* path : {"/a", "a/", "a//b", ".", "a/./b", "..", "a/.."}) CHECK_FALSE(is_canonical_entry_path(path));
}

TEST_CASE("paths are taken apart and joined") {
  CHECK(parent_path("a/b/c") == "a/b");
  CHECK(parent_path("a") == "");
  CHECK(base_name("a/b") == "b");
  CHECK(join_path("", "b") == "b");
  CHECK(join_path("a", "b") == "a/b");
  CHECK(is_within("a/b", "a"));
  CHECK(is_within("a", "a"));
  CHECK(is_within("a", ""));
  CHECK_FALSE(is_within("ab", "a"));
}

TEST_CASE("entries that contradict themselves are refused") {
  const auto refused = [](const FileEntry& entry, const char* message) {
    CHECK_ERROR(check_entry(entry, "t", Category::build), Category::build, message);
  };
  refused(entry_of("", EntryType::file), "t: entry '' is the root but no folder");
  refused(entry_of("a", EntryType::symlink), "t: entry 'a' is a link to nothing");
  refused(link_of("a", "a", EntryType::hardlink), "t: entry 'a' is a hard link to what cannot be its file");
  refused(link_of("a", "../b", EntryType::hardlink), "t: entry 'a' is a hard link to what cannot be its file");
  FileEntry marked = entry_of("a", EntryType::whiteout);
  marked.uid = 1;
  refused(marked, "t: entry 'a' is a whiteout with properties of a file");
  FileEntry sized = folder_of("a");
  sized.size = 1;
  refused(sized, "t: entry 'a' has content, and its type has none");
  FileEntry attributed = file_of("a", "x");
  attributed.xattrs[""] = "v";
  refused(attributed, "t: entry 'a' has a bad extended attribute");
  CHECK_NOTHROW(check_entry(link_of("a", "/../anything at all", EntryType::symlink), "t", Category::build));
}
