// What a record says that a layer holds, held against the layer.
#include "builder/layer/stated_layer.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "builder/layer/index_layer.hpp"
#include "registry/store/layer_facts.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/layer/layer_fixture.hpp"

using namespace kiln;
using test::add_file;
using test::entry_of;
using test::folder_of;
using test::Workshop;

namespace {

// A layer that one machine wrote, and another machine that has its blob and was told things about it.
struct TwoMachines {
  TwoMachines() {
    LayerWriterOptions options;
    options.compression = Compression::parse("zstd");
    LayerWriter writer(maker.store, maker.pool, options);
    writer.add(folder_of("etc"));
    add_file(writer, entry_of("etc/passwd", EntryType::file), "root:x:0:0::/:/bin/sh\n");
    add_file(writer, entry_of("etc/tool", EntryType::file, 0755), "tool");
    layer = writer.finish();
    BlobWriter copy = reader.store.begin_blob();
    copy.write(read_file(maker.store.path_of(blob().digest)));
    copy.commit();
  }

  const oci::Descriptor& blob() const { return layer.blobs.front().descriptor; }
  FileIndex::Parts true_parts() {
    const auto index = IndexCache(maker.store).find(layer.diff_id);
    FileIndex::Parts parts;
    parts.diff_id = index->diff_id();
    parts.unpacked_bytes = index->unpacked_bytes();
    parts.blobs = {{blob().digest, *index->frames_of(blob().digest)}};
    parts.kept = {{"etc/passwd", *index->kept_file("etc/passwd")}};
    parts.entries = index->entries();
    return parts;
  }
  std::string told(const FileIndex::Parts& parts) {
    const FileIndex index(parts);
    StatedLayer stated{layer.diff_id, layer.unpacked_bytes, {}};
    stated.index = reader.store.put(index.serialise(), kFileIndexMediaType);
    return false_statement(reader.store, reader.pool, blob(), stated);
  }

  Workshop maker;
  Workshop reader;
  LayerValue layer;
};

}  // namespace

TEST_CASE("a layer that is what was said is read once, and its index with the blob's frames is kept") {
  TwoMachines two;
  CHECK(two.told(two.true_parts()) == "");
  CHECK(blob_info(two.reader.store, two.blob().digest)->diff_id == two.layer.diff_id);
  CHECK(IndexCache(two.reader.store).find(two.layer.diff_id)->frames_of(two.blob().digest) != nullptr);
  // Its blob is not looked at any more.
  fs::remove(two.reader.store.path_of(two.blob().digest));
  CHECK(two.told(two.true_parts()) == "");
}

TEST_CASE("each thing that an index may say falsely of its layer is found, whether the layer was read before or not") {
  using Change = void (*)(FileIndex::Parts&);
  struct Case {
    const char* problem;
    Change change;
  };
  const Case cases[] = {
      {"its file index has 'etc/ghost', which the layer has not",
       [](FileIndex::Parts& parts) { parts.entries.push_back(test::file_of("etc/ghost", "")); }},
      {"its file index lacks 'etc/tool' of the layer",
       [](FileIndex::Parts& parts) {
         std::erase_if(parts.entries, [](const auto& e) { return e.path == "etc/tool"; });
       }},
      {"its file index says another thing of 'etc/tool' than the layer",
       [](FileIndex::Parts& parts) {
         for (FileEntry& entry : parts.entries) {
           if (entry.path == "etc/tool") entry.uid = 1000;
         }
       }},
      {"its file index says another thing of 'etc/tool' than the layer",
       [](FileIndex::Parts& parts) {
         for (FileEntry& entry : parts.entries) {
           if (entry.path == "etc/tool") entry.content = oci::sha256_of("loot");
         }
       }},
      {"its file index has another 'etc/passwd' than the layer",
       [](FileIndex::Parts& parts) { parts.kept["etc/passwd"] = "root:x:0:0::/:/bin/no\n"; }},
      {"its file index has another 'etc/passwd' than the layer", [](FileIndex::Parts& parts) { parts.kept.clear(); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.problem);
    TwoMachines two;
    FileIndex::Parts parts = two.true_parts();
    c.change(parts);
    CHECK(two.told(parts) == c.problem);
    // What was read is known, and the lie is one still.
    CHECK(IndexCache(two.reader.store).find(two.layer.diff_id)->entries() == two.true_parts().entries);
    CHECK(two.told(parts) == c.problem);
    CHECK(two.told(two.true_parts()) == "");
  }
}

TEST_CASE("frames that lead elsewhere are found by reading with them") {
  for (const bool was_read : {false, true}) {
    CAPTURE(was_read);
    TwoMachines two;
    if (was_read) index_layer(two.reader.store, two.reader.pool, two.blob(), two.layer.diff_id);
    FileIndex::Parts parts = two.true_parts();
    parts.blobs.front().frames = {{two.blob().size - 1, parts.unpacked_bytes}};
    CHECK(two.told(parts) != "");
    CHECK(two.told(two.true_parts()) == "");
  }
}

TEST_CASE("a record that names another layer than its blob holds is found, and another size") {
  TwoMachines two;
  StatedLayer stated{oci::sha256_of("another"), 0, {}};
  const std::string problem = fmt::format("it names the layer '{}', and its blob holds '{}'",
                                          oci::sha256_of("another").str(), two.layer.diff_id.str());
  CHECK(false_statement(two.reader.store, two.reader.pool, two.blob(), stated) == problem);
  CHECK(false_statement(two.reader.store, two.reader.pool, two.blob(), stated) == problem);
  stated = {two.layer.diff_id, 3, {}};
  CHECK(false_statement(two.reader.store, two.reader.pool, two.blob(), stated) ==
        fmt::format("it names 3 bytes, and the layer has {}", two.layer.unpacked_bytes));
}

TEST_CASE("a blob that is no layer holds nothing that was said") {
  Workshop shop;
  const oci::Descriptor blob = shop.store.put("no tar at all", "application/vnd.oci.image.layer.v1.tar");
  CHECK(false_statement(shop.store, shop.pool, blob, {oci::sha256_of("a layer"), 0, {}}) != "");
}
