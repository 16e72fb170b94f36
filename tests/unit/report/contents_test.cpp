#include "builder/report/contents.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

FileEntry file(std::string path, std::string_view content, std::uint64_t size) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.mode = 0644;
  entry.size = size;
  entry.content = oci::sha256_of(content);
  return entry;
}

// A layer of these files whose tar has 1024 bytes of end.
std::shared_ptr<const FileIndex> layer(std::vector<FileEntry> entries) {
  FileIndex::Parts parts;
  std::string names;
  for (const FileEntry& entry : entries) {
    names += entry.path + entry.content.str();
    parts.unpacked_bytes += 512 + (entry.size + 511) / 512 * 512;
  }
  parts.unpacked_bytes += 1024;
  parts.diff_id = oci::sha256_of(names);
  parts.entries = std::move(entries);
  return std::make_shared<const FileIndex>(std::move(parts));
}

}  // namespace

TEST_CASE("bytes are told apart by where they are and add up to the tars") {
  const auto contents =
      contents_of({{layer({file("usr/bin/gcc-12", "1", 1000), file("usr/lib/x86_64-linux-gnu/libz.so.1", "2", 2000),
                           file("usr/include/zlib.h", "3", 300)}),
                    layer({file("root/.cache/pip/wheel", "4", 4000), file("app/app.py", "5", 600),
                           file("usr/local/lib/python3.11/site-packages/numpy/tests/test_x.py", "6", 512)})}});
  REQUIRE(contents[0]);
  const ContentBytes &base = contents[0]->at(0), &own = contents[0]->at(1);
  CHECK(base[Content::build_tools] == 512 + 1024 + 512 + 512);
  CHECK(base[Content::base] == 512 + 2048);
  CHECK(base[Content::packages] == 1024);  // the end of the tar
  CHECK(own[Content::caches] == 512 + 4096);
  CHECK(own[Content::build_tools] == 512 + 512);
  CHECK(own[Content::packages] == 512 + 1024 + 1024);
  CHECK(base.total() + own.total() ==
        512 + 1024 + 512 + 512 + 512 + 2048 + 1024 + 512 + 4096 + 1024 + 512 + 1024 + 1024);
}

TEST_CASE("what an image holds twice counts at the later copy, what a later layer hides at the layer that holds it") {
  constexpr std::uint64_t kLarge = 1 << 20;
  const auto contents =
      contents_of({{layer({file("opt/cuda/libcublas.so", "cublas", kLarge), file("opt/old", "old", kLarge)}),
                    layer({file("usr/local/nvidia/libcublas.so", "cublas", kLarge), file("opt/old", "new", 512)})}});
  REQUIRE(contents[0]);
  CHECK(contents[0]->at(0)[Content::duplicates] == 512 + kLarge);
  CHECK(contents[0]->at(0)[Content::packages] == 512 + kLarge + 1024);
  CHECK(contents[0]->at(1)[Content::duplicates] == 512 + kLarge);
}

TEST_CASE("packages that a second image brings in a layer of its own are repeated, and a shared layer is judged once") {
  const auto shared = layer({file("usr/bin/tini", "tini", 5000)});
  const auto contents = contents_of({{shared, layer({file("opt/flask", "flask", 512), file("opt/a", "a", 512)})},
                                     {shared, layer({file("srv/flask", "flask", 512), file("srv/b", "b", 512)})}});
  REQUIRE((contents[0] && contents[1]));
  CHECK(contents[0]->at(0) == contents[1]->at(0));
  CHECK(contents[0]->at(1).repeated == 0);
  CHECK(contents[1]->at(1).repeated == 1024);
}

TEST_CASE("nothing is told of an image that lacks an index") {
  const auto contents = contents_of({{layer({file("a", "1", 1)}), nullptr}, {layer({file("a", "1", 1)})}});
  CHECK_FALSE(contents[0]);
  CHECK(contents[1]);
}

TEST_CASE("what only compiling needs is known by its path") {
  for (const char* path :
       {"usr/include/stdio.h", "usr/lib/x86_64-linux-gnu/libc.a", "usr/bin/make", "usr/bin/x86_64-linux-gnu-ld.bfd",
        "usr/bin/git", "usr/lib/gcc/x86_64-linux-gnu/12/cc1", "usr/lib/python3.11/site-packages/torch/test/x.py",
        "usr/local/lib/python3.11/site-packages/nvidia/cublas/include/cublas.h"}) {
    CAPTURE(path);
    CHECK(is_build_only(path));
  }
  for (const char* path :
       {"usr/bin/python3", "usr/bin/ldd", "usr/bin/makedumpfile", "usr/bin/stripe",
        "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/local/lib/python3.11/site-packages/pytest/main.py", "app/tests.py",
        "usr/bin/cchange"}) {
    CAPTURE(path);
    CHECK_FALSE(is_build_only(path));
  }
  CHECK(is_compiler("usr/bin/gcc-12"));
  CHECK_FALSE(is_compiler("usr/share/doc/gcc"));
}
