#include "builder/report/waste.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

constexpr std::uint64_t kLarge = 1 << 20;

FileEntry file(std::string path, std::string_view content, std::uint64_t size = kLarge, std::uint32_t uid = 0) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.mode = 0644;
  entry.uid = uid;
  entry.size = size;
  entry.content = oci::sha256_of(content);
  return entry;
}

FileEntry special(std::string path, EntryType type) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  return entry;
}

FileEntry folder(std::string path) {
  FileEntry entry = special(std::move(path), EntryType::directory);
  entry.mode = 0755;
  return entry;
}

std::shared_ptr<const FileIndex> layer(std::vector<FileEntry> entries) {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of(std::to_string(entries.size()));
  parts.entries = std::move(entries);
  return std::make_shared<const FileIndex>(std::move(parts));
}

}  // namespace

TEST_CASE("a file that a later layer removes, replaces or covers is hidden in the layer that holds it") {
  const auto waste =
      waste_of({layer({file("a", "1"), file("b", "2"), folder("d"), file("d/x", "3"), folder("o"), file("o/y", "4")}),
                layer({special("a", EntryType::whiteout), file("b", "other"), file("d", "5"), folder("o"),
                       special("o", EntryType::opaque)})});
  REQUIRE(waste.size() == 1);
  CHECK(waste[0].kind == WasteKind::hidden);
  CHECK(waste[0].layer == 0);
  CHECK(waste[0].because == 1);
  CHECK(waste[0].bytes == 4 * kLarge);
  CHECK(waste[0].files == 4);
}

TEST_CASE("what a layer writes and removes itself is no waste, and nothing is counted twice") {
  const auto waste = waste_of({layer({file("a", "1")}), layer({special("a", EntryType::whiteout)}),
                               layer({file("a", "2")}), layer({special("a", EntryType::whiteout)})});
  REQUIRE(waste.size() == 2);
  CHECK(waste[0].bytes == kLarge);
  CHECK(waste[1].bytes == kLarge);
}

TEST_CASE("the same bytes under another owner are doubled by the line that changes it") {
  const auto waste = waste_of({layer({file("app/a", "1"), file("app/b", "2", 2 * kLarge)}),
                               layer({file("app/a", "1", kLarge, 10001), file("app/b", "2", 2 * kLarge, 10001)})});
  REQUIRE(waste.size() == 1);
  CHECK(waste[0].kind == WasteKind::doubled);
  CHECK(waste[0].layer == 1);
  CHECK(waste[0].bytes == 3 * kLarge);
  CHECK(waste[0].example == "app/b");
  CHECK(waste[0].advice.find("--chown") != std::string::npos);
}

TEST_CASE("caches that stay are named with what avoids them") {
  const auto waste = waste_of(
      {layer({file("var/lib/apt/lists/deb.debian.org", "1", 3 * kLarge),
              file("root/.cache/pip/http/x", "2", 2 * kLarge), file("tmp/left", "3"), file("opt/.cache/kept", "4")})});
  REQUIRE(waste.size() == 3);
  for (const Waste& item : waste) CHECK(item.kind == WasteKind::cache);
  CHECK(waste[0].advice.find("apt") != std::string::npos);
  CHECK(waste[1].advice.find("pip") != std::string::npos);
  CHECK(waste[2].example == "tmp/left");
}

TEST_CASE("a second copy of a large file is a duplicate of the layer that brought it later; a hard link is none") {
  FileEntry link = special("usr/link", EntryType::hardlink);
  link.link = "usr/lib/libcublas.so";
  link.size = kLarge;
  link.content = oci::sha256_of("cublas");
  const auto waste = waste_of({layer({file("usr/lib/libcublas.so", "cublas"), link, file("small", "s", 100)}),
                               layer({file("opt/venv/libcublas.so", "cublas"), file("small2", "s", 100)})});
  REQUIRE(waste.size() == 1);
  CHECK(waste[0].kind == WasteKind::duplicate);
  CHECK(waste[0].layer == 1);
  CHECK(waste[0].bytes == kLarge);
  CHECK(waste[0].example == "opt/venv/libcublas.so");
  CHECK(waste[0].advice.find("/usr/lib") != std::string::npos);
}

TEST_CASE("little is not worth a word, and a layer without an index is passed over") {
  CHECK(waste_of({layer({file("a", "1", 10)}), nullptr, layer({special("a", EntryType::whiteout)})}).empty());
  CHECK(waste_of({layer({file("a", "1", 10)}), layer({special("a", EntryType::whiteout)})}, 1).size() == 1);
  CHECK(waste_of({}).empty());
}

TEST_CASE("kinds of waste have names") {
  for (const WasteKind kind : {WasteKind::hidden, WasteKind::doubled, WasteKind::cache, WasteKind::duplicate}) {
    CHECK(parse_waste_kind(to_string(kind)) == kind);
  }
  CHECK_ERROR(parse_waste_kind("hiden"), Category::usage, doctest::Contains("hidden"));
}
