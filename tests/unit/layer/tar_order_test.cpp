#include "builder/layer/tar_order.hpp"

#include <doctest/doctest.h>

#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// "f:a" for each settled entry, in order.
std::string settled(std::vector<FileEntry> entries) {
  std::string text;
  for (const TarEntry& item : settle_tar_entries(std::move(entries), "a tar")) {
    text += to_letter(item.entry.type);
    text += ":" + item.entry.path + " ";
  }
  return text;
}

constexpr auto kWhiteout = EntryType::whiteout;
constexpr auto kOpaque = EntryType::opaque;

}  // namespace

TEST_CASE("tar order becomes entry order") {
  CHECK(settled({file_of("b", "1"), file_of("a/x", "2"), folder_of("a")}) == "d:a f:a/x f:b ");
}

TEST_CASE("the later of two entries of one path counts") {
  const auto entries = settle_tar_entries({file_of("a", "1"), file_of("a", "22"), file_of("a", "333")}, "t");
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].entry.size == 3);
  CHECK(entries[0].number == 2);
}

TEST_CASE("a tar of one name many times is settled in the time of its length") {
  // A pass over all earlier ones for each of them would be 20,000,000,000 comparisons.
  std::vector<FileEntry> entries(200'000, file_of("a", "1"));
  entries.push_back(file_of("a", "last"));
  const auto settled = settle_tar_entries(std::move(entries), "t");
  REQUIRE(settled.size() == 1);
  CHECK(settled[0].entry.size == 4);
}

TEST_CASE("what takes a folder's place takes away what was below") {
  CHECK(settled({folder_of("a"), file_of("a/x", "1"), folder_of("a/d"), file_of("a", "2")}) == "f:a ");
  CHECK(settled({folder_of("a"), file_of("a/x", "1"), file_of("a", "2"), folder_of("a"), file_of("a/y", "3")}) ==
        "d:a f:a/y ");
  CHECK(settled({folder_of("a"), entry_of("a", kOpaque), link_of("a", "b")}) == "l:a ");
}

TEST_CASE("a whiteout beside a folder of its name makes it opaque, and beside a file says nothing") {
  CHECK(settled({entry_of("a", kWhiteout), folder_of("a"), file_of("a/x", "1")}) == "d:a o:a f:a/x ");
  CHECK(settled({folder_of("a"), file_of("a/x", "1"), entry_of("a", kWhiteout)}) == "d:a o:a f:a/x ");
  CHECK(settled({entry_of("a", kWhiteout), file_of("a", "1")}) == "f:a ");
  CHECK(settled({entry_of("a", kWhiteout), file_of("a/x", "1")}) == "o:a f:a/x ");
  CHECK(settled({entry_of("a", kWhiteout)}) == "w:a ");
}

TEST_CASE("a mark makes the folder it lies in, below another mark too") {
  CHECK(settled({entry_of("a", kWhiteout), entry_of("a/b", kWhiteout)}) == "o:a w:a/b ");
  CHECK(settled({entry_of("a", kWhiteout), entry_of("a/b/c", kOpaque)}) == "o:a o:a/b/c ");
  CHECK(settled({folder_of("a"), entry_of("a", kOpaque), entry_of("a/b", kWhiteout), folder_of("a/c"),
                 entry_of("a/c", kOpaque)}) == "d:a o:a w:a/b d:a/c o:a/c ");
}

TEST_CASE("something below a file is refused") {
  CHECK_ERROR(settled({file_of("a", "1"), file_of("a/x", "2")}), Category::build,
              "'a tar': 'a/x' lies below 'a', which is no folder");
  CHECK_ERROR(settled({file_of("a", "1"), entry_of("a/x", kWhiteout)}), Category::build,
              "'a tar': 'a/x' lies below 'a', which is no folder");
  CHECK_ERROR(settled({file_of("a", "1"), entry_of("a", kOpaque)}), Category::build,
              "'a tar': 'a/.wh..wh..opq' lies below 'a', which is no folder");
}

TEST_CASE("a hard link whose file was replaced keeps its own content") {
  auto link = link_of("b", "a", EntryType::hardlink);
  link.content = oci::sha256_of("1");
  link.size = 1;
  CHECK(settled({file_of("a", "1"), link}) == "f:a h:b ");
  CHECK(settled({file_of("a", "1"), link, file_of("a", "2")}) == "f:a f:b ");
  CHECK(settled({file_of("a", "1"), link, folder_of("a")}) == "d:a f:b ");
}
