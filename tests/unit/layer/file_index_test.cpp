#include "builder/layer/file_index.hpp"

#include <doctest/doctest.h>
#include <zstd.h>

#include "builder/layer/index_text.hpp"
#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

FileIndex::Parts rich_parts() {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("tar");
  parts.unpacked_bytes = 300;
  parts.blobs = {{oci::sha256_of("gzip"), {{10, 100}, {20, 200}}}, {oci::sha256_of("zstd"), {}}};
  FileEntry file = file_of("usr/bin/n\xff\n 1:", "hello");
  file.mode = 06755;
  file.uid = 4294967294u;
  file.mtime = -5;
  file.xattrs = {{"security.capability", std::string("\0\1\n", 3)}, {"user.x", ""}};
  FileEntry device = entry_of("dev/null", EntryType::char_device, 0666);
  device.device_major = 1;
  device.device_minor = 3;
  parts.entries = {file,
                   device,
                   folder_of("usr/bin"),
                   entry_of("usr/bin", EntryType::opaque),
                   folder_of("etc"),
                   file_of("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
                   link_of("lib", "usr/lib"),
                   link_of("z", "etc/passwd", EntryType::hardlink),
                   entry_of("tmp", EntryType::whiteout),
                   entry_of("run/pipe", EntryType::fifo, 0600)};
  parts.kept = {{"etc/passwd", "root:x:0:0::/root:/bin/sh\n"}};
  return parts;
}

std::string with_text(const FileIndex& index, const std::function<void(std::string&)>& change) {
  const std::string blob = index.serialise();
  std::string text(1 << 20, '\0');
  text.resize(ZSTD_decompress(text.data(), text.size(), blob.data(), blob.size()));
  change(text);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("an index survives being written and read, whatever is in its names") {
  const FileIndex index(rich_parts());
  const FileIndex again = FileIndex::parse(index.serialise(), "t");
  CHECK(again == index);
  CHECK(again.serialise() == index.serialise());
  CHECK(again.entries().size() == 10);
  CHECK(again.frames_of(oci::sha256_of("gzip"))->size() == 2);
  CHECK(again.frames_of(oci::sha256_of("other")) == nullptr);
  CHECK(*again.kept_file("etc/passwd") == "root:x:0:0::/root:/bin/sh\n");
  CHECK(again.kept_file("etc/group") == nullptr);
}

TEST_CASE("the text of an index is pinned") {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("tar");
  parts.unpacked_bytes = 1024;
  FileEntry file = file_of("a b", "x");
  file.xattrs["user.k"] = "v";
  parts.entries = {file, entry_of("gone", EntryType::whiteout)};
  std::string seen;
  with_text(FileIndex(std::move(parts)), [&](std::string& text) { seen = text; });
  CHECK(seen ==
        "kiln file index 2\n"
        "diff sha256:90aebae315675cbf04612de4f7d5874850f48e0b8dd82becbeaa47ca93f5ebfb 1024\n"
        "blobs 0\nkept 0\nentries 2\n"
        "f 3:a b 644 0 0 1 0 0: 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 0 0 1 6:user.k 1:v\n"
        "w 4:gone 0 0 0 0 0 0: - 0 0 0\n");
}

TEST_CASE("entries are found by path") {
  const auto index = index_of({folder_of("a"), entry_of("a", EntryType::opaque), file_of("a/x", "1"),
                               file_of("a-b", "2"), folder_of("b"), entry_of("c", EntryType::whiteout)});
  CHECK(index->find("a")->is_directory());
  CHECK(index->is_opaque("a"));
  CHECK_FALSE(index->is_opaque("b"));
  CHECK(index->find("a/x")->size == 1);
  CHECK(index->find("a/y") == nullptr);
  CHECK(index->find("c")->type == EntryType::whiteout);
}

TEST_CASE("parts that contradict one another are refused") {
  CHECK_ERROR(index_of({file_of("a", "1"), file_of("a", "2")}), Category::build, "file index: 'a' is there twice");
  CHECK_ERROR(index_of({file_of("a", "1"), entry_of("a", EntryType::whiteout)}), Category::build,
              "file index: 'a' is there twice");
  CHECK_ERROR(index_of({file_of("a", "1"), file_of("a/b", "2")}), Category::build,
              "file index: 'a/b' lies below what is no folder");
  CHECK_ERROR(index_of({link_of("a", "x"), entry_of("a", EntryType::opaque)}), Category::build,
              "file index: 'a' lies below what is no folder");
  CHECK_ERROR(index_of({entry_of("a", EntryType::file)}), Category::build, "file index: file 'a' has no digest");
  CHECK_ERROR(index_of({folder_of("etc")}, {{"etc/passwd", "x"}}), Category::build,
              "file index: kept text of 'etc/passwd', which is no such file");
  FileIndex::Parts parts = rich_parts();
  parts.unpacked_bytes = 301;
  CHECK_ERROR(FileIndex(std::move(parts)), Category::build, doctest::Contains("hold 300 bytes, expected 301"));
}

TEST_CASE("a hostile index is refused as what came from outside") {
  const FileIndex index(rich_parts());
  const auto refused = [&](std::string_view from, std::string_view to) {
    const std::string blob = with_text(index, [&](std::string& text) { replace(text, from, to); });
    try {
      FileIndex::parse(blob, "index of 'x'");
      FAIL_CHECK("accepted with " << to);
    } catch (const Error& error) {
      CHECK(error.category() == Category::network);
      CHECK(error.message().starts_with("index of 'x'"));
    }
  };
  refused("kiln file index 2", "kiln file index 3");
  refused("3:lib", "3:../");
  refused("3:lib", "3:Zib");   // out of order
  refused("3:lib", "03:lib");  // not as we write numbers
  refused("3:lib", "9999999999999:lib");
  refused("entries 10", "entries 11");
  refused("entries 10", "entries 9");
  refused("entries 10", "entries 99999999");
  refused("blobs 2", "blobs 1");
  refused("10 100", "10 101");
  refused("6755", "16755");
  refused("4294967294", "4294967296");
  refused(" -5 ", " --5 ");
  refused("l 3:lib", "x 3:lib");
}

TEST_CASE("an index blob that is cut, longer or no zstd is refused") {
  const std::string blob = FileIndex(rich_parts()).serialise();
  CHECK_ERROR(FileIndex::parse(blob.substr(0, blob.size() - 1), "t"), Category::network,
              doctest::Contains("t: no file index of kiln: "));
  CHECK_ERROR(FileIndex::parse(blob + "x", "t"), Category::network, doctest::Contains("t: no file index of kiln: "));
  CHECK_ERROR(FileIndex::parse("", "t"), Category::network, doctest::Contains("t: no file index of kiln: "));
  CHECK_ERROR(FileIndex::parse("kiln file index 1\n", "t"), Category::network,
              doctest::Contains("t: no file index of kiln: "));
}

TEST_CASE("an index of version 1 is read") {
  const FileIndex index(rich_parts());
  const std::string old =
      with_text(index, [](std::string& text) { replace(text, "kiln file index 2", "kiln file index 1"); });
  CHECK(FileIndex::parse(old, "t") == index);
}

TEST_CASE("a layer of the shortest marks has an index that can be read back") {
  for (const auto& entries :
       std::vector<std::vector<FileEntry>>{{entry_of("", EntryType::opaque)},
                                           {entry_of("a", EntryType::whiteout), entry_of("b", EntryType::whiteout)},
                                           {entry_of("", EntryType::opaque), entry_of("a", EntryType::whiteout)},
                                           {entry_of("a", EntryType::opaque), entry_of("b", EntryType::fifo, 0)},
                                           {}}) {
    const auto index = index_of(entries);
    CHECK(FileIndex::parse(index->serialise(), "t") == *index);
  }
}

TEST_CASE("a blob's frames can be added later") {
  const FileIndex index(rich_parts());
  const FileIndex more = index.with_blob({oci::sha256_of("another"), {{5, 300}}});
  CHECK(more.frames_of(oci::sha256_of("another"))->front().compressed_bytes == 5);
  CHECK(more.frames_of(oci::sha256_of("gzip"))->size() == 2);
  CHECK(FileIndex::parse(more.serialise(), "t") == more);
}

TEST_CASE("the store finds a layer's index by diff ID, and the cache shares it") {
  Workshop shop;
  const FileIndex index(rich_parts());
  const oci::Descriptor descriptor = store_index(shop.store, index);
  CHECK(descriptor.media_type == kFileIndexMediaType);
  IndexCache cache(shop.store);
  const auto first = cache.find(index.diff_id());
  REQUIRE(first);
  CHECK(*first == index);
  CHECK(cache.load(descriptor) == first);
  CHECK(cache.find(oci::sha256_of("unknown")) == nullptr);
}

TEST_CASE("the text of an index is inflated to its limit and no further") {
  const std::string text(100'000, 'x');
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  CHECK(inflate_index(packed, "it", text.size()) == text);
  CHECK_ERROR(inflate_index(packed, "it", text.size() - 1), Category::network,
              "it: no file index of kiln: it is larger than 99999 bytes");
  CHECK(kMaxIndexTextBytes == std::uint64_t{2} << 30);
}
