#include "builder/layer/layer_writer.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "builder/layer/file_bytes.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/layer_reader.hpp"
#include "layer_fixture.hpp"
#include "registry/store/layer_facts.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

LayerWriterOptions with(const char* compression) {
  LayerWriterOptions options;
  options.compression = Compression::parse(compression);
  options.set_mtime = kReproducibleEpoch;
  return options;
}

// One of everything that a layer can hold.
void add_everything(LayerWriter& writer) {
  writer.add(folder_of("", 0755));
  FileEntry device = entry_of("dev/null", EntryType::char_device, 0666);
  device.device_major = 1;
  device.device_minor = 3;
  writer.add(folder_of("dev"));
  writer.add(device);
  writer.add(entry_of("dev/pipe", EntryType::fifo, 0600));
  writer.add(folder_of("etc"));
  add_file(writer, entry_of("etc/group", EntryType::file), "root:x:0:\n");
  writer.add(entry_of("etc/hosts", EntryType::whiteout));
  FileEntry capable = entry_of("etc/ping", EntryType::file, 04755);
  capable.xattrs["security.capability"] =
      std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  capable.xattrs["user.note"] = "a=b\nc";
  capable.uid = 3000000;
  capable.gid = 5;
  add_file(writer, capable, "program");
  writer.add(folder_of("opt", 0700));
  writer.add(entry_of("opt", EntryType::opaque));
  add_file(writer, entry_of("opt/caf\xc3\xa9", EntryType::file), "utf-8");
  add_file(writer, entry_of("opt/caf\xe9", EntryType::file), "latin-1");
  writer.add(link_of("opt/h", "opt/caf\xe9", EntryType::hardlink));
  const std::string far = "opt/" + std::string(120, 'n') + "/" + std::string(120, 'm');
  writer.add(folder_of(std::string(parent_path(far))));
  add_file(writer, entry_of(far, EntryType::file), varied_bytes(5 << 20, 1));
  writer.add(link_of("s", "/" + std::string(150, 't') + "\xff"));
  add_file(writer, entry_of("z", EntryType::file), "");
}

class EndlessZeros : public ByteSource {
 public:
  std::size_t read(void* buffer, std::size_t size) override {
    std::memset(buffer, 0, size);
    bytes += size;
    return size;
  }
  std::uint64_t bytes = 0;
};

std::string tar_of(Workshop& shop, const LayerValue& layer) {
  const auto tar = open_layer_tar(shop.store, shop.pool, layer.blobs.front().descriptor, nullptr);
  return read_to_end(*tar, 1 << 30, "tar");
}

}  // namespace

TEST_CASE("a layer's diff ID and blobs are pinned") {
  const auto make = [](const char* compression) {
    Workshop shop;
    LayerWriter writer(shop.store, shop.pool, with(compression));
    add_everything(writer);
    return writer.finish();
  };
  const LayerValue gzip = make("gzip");
  CHECK(gzip.diff_id.str() == "sha256:828fa5511a07eb9bfaec4abc76e1612d2f1281ff93e7668da2908a64604fccf2");
  CHECK(gzip.blobs.at(0).descriptor.digest.str() ==
        "sha256:00a0a36a68ca442470308f298f2ecc00de0ec3f00a08c317ea1a7e10d95d3d8a");
  const LayerValue zstd = make("zstd");
  CHECK(zstd.diff_id == gzip.diff_id);
  CHECK(zstd.blobs.at(0).descriptor.digest.str() ==
        "sha256:98d493bccb755f2a9fd53fbae56022114081279e3fe85283c2be36d6b9acc424");
  const LayerValue none = make("none");
  CHECK(none.diff_id == gzip.diff_id);
  CHECK(none.blobs.at(0).descriptor.digest == gzip.diff_id);
}

TEST_CASE("a layer is the same from any number of threads") {
  std::vector<LayerValue> layers;
  for (const std::size_t threads : {1, 2, 7}) {
    TempDir dir;
    ThreadPool pool(threads);
    ContentStore store(HomeLayout::open(dir.path() / "home"));
    LayerWriter writer(store, pool, with("gzip"));
    add_file(writer, entry_of("big", EntryType::file), varied_bytes(30 << 20, 2));
    layers.push_back(writer.finish());
  }
  CHECK(layers[0] == layers[1]);
  CHECK(layers[0] == layers[2]);
}

TEST_CASE("a diff ID alone is that of the layer, and leaves nothing in the store") {
  Workshop shop;
  LayerWriterOptions options = with("gzip");
  options.diff_id_only = true;
  LayerWriter alone(shop.store, shop.pool, options);
  add_everything(alone);
  const oci::Digest diff_id = alone.finish_diff_id();
  CHECK(list_directory(shop.store.home().blobs()).empty());
  LayerWriter whole(shop.store, shop.pool, with("gzip"));
  add_everything(whole);
  CHECK(whole.finish().diff_id == diff_id);
}

TEST_CASE(
    "a layer whose blob is elsewhere is that which made it, with an index of the same entries alone in the store") {
  Workshop there, here;
  LayerWriter whole(there.store, there.pool, with("gzip"));
  add_everything(whole);
  const LayerValue made = whole.finish();
  LayerWriterOptions options = with("gzip");
  options.diff_id_only = true;
  LayerWriter reader(here.store, here.pool, options);
  add_everything(reader);
  const LayerValue known = reader.finish_as(made.blobs.front());
  CHECK(known.diff_id == made.diff_id);
  CHECK(known.unpacked_bytes == made.unpacked_bytes);
  CHECK(known.blobs == made.blobs);
  REQUIRE(known.index);
  CHECK(list_directory(here.store.home().blobs()) == std::vector{std::string(known.index->digest.hex())});
  IndexCache of_known(here.store), of_made(there.store);
  const auto index = of_known.load(*known.index);
  CHECK(index->entries() == of_made.load(*made.index)->entries());
  CHECK(index->unpacked_bytes() == made.unpacked_bytes);
  CHECK(index->frames_of(made.blobs.front().descriptor.digest) == nullptr);
}

TEST_CASE("what a layer says of itself is true") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("zstd"));
  add_everything(writer);
  const oci::Digest early = writer.finish_diff_id();
  const LayerValue layer = writer.finish();
  CHECK(layer.diff_id == early);
  const std::string tar = tar_of(shop, layer);
  CHECK(oci::sha256_of(tar) == layer.diff_id);
  CHECK(tar.size() == layer.unpacked_bytes);
  const auto& blob = layer.blobs.at(0);
  CHECK(blob.descriptor.media_type == "application/vnd.oci.image.layer.v1.tar+zstd");
  CHECK(shop.store.size_of(blob.descriptor.digest) == blob.descriptor.size);
  CHECK(blob_info(shop.store, blob.descriptor.digest)->diff_id == layer.diff_id);
  CHECK(index_of_layer(shop.store, layer.diff_id) == layer.index);

  const auto index = IndexCache(shop.store).find(layer.diff_id);
  REQUIRE(index);
  const auto parallel = open_layer_tar(shop.store, shop.pool, blob.descriptor, &*index);
  CHECK(read_to_end(*parallel, 1 << 30, "tar") == tar);
  CHECK(index->find("opt/h")->content == oci::sha256_of("latin-1"));
  CHECK(*index->kept_file("etc/group") == "root:x:0:\n");
}

TEST_CASE("what is read back from a layer is what went in") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  add_everything(writer);
  const LayerValue layer = writer.finish();
  const auto written = IndexCache(shop.store).find(layer.diff_id);

  TempDir other_dir;
  ContentStore other(HomeLayout::open(other_dir.path() / "home"));
  BlobWriter copy = other.begin_blob();
  copy.write(read_file(shop.store.path_of(layer.blobs.at(0).descriptor.digest)));
  copy.commit();
  const IndexedLayer indexed = index_layer(other, shop.pool, layer.blobs.at(0).descriptor, layer.diff_id);
  CHECK(indexed.diff_id == layer.diff_id);
  CHECK(indexed.unpacked_bytes == layer.unpacked_bytes);
  const auto read = IndexCache(other).find(layer.diff_id);
  CHECK(read->entries() == written->entries());
  CHECK(*read->kept_file("etc/group") == "root:x:0:\n");
}

TEST_CASE("tar lists and unpacks what was written") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  add_everything(writer);
  const std::string tar = tar_of(shop, writer.finish());
  const std::string listing = output_of({"tar", "-tvf", "-", "--quoting-style=escape", "--numeric-owner"}, tar);
  CHECK(listing.find("opt/caf\\351") != std::string::npos);
  CHECK(listing.find("-rwsr-xr-x 3000000/5") != std::string::npos);
  CHECK(listing.find("link to opt/caf\\351") != std::string::npos);
  CHECK(listing.find("crw-rw-rw- 0/0") != std::string::npos);
  CHECK(listing.find("etc/.wh.hosts") != std::string::npos);
  CHECK(listing.find("opt/.wh..wh..opq") != std::string::npos);
  CHECK(listing.find("1980-01-01") != std::string::npos);
  const std::string content = output_of({"tar", "-xOf", "-", "opt/caf\xc3\xa9"}, tar);
  CHECK(content == "utf-8");
}

TEST_CASE("no xattr is written twice and no user is named") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("none"));
  FileEntry entry = entry_of("f", EntryType::file);
  entry.xattrs["user.k"] = "v";
  add_file(writer, entry, "x");
  const std::string tar = tar_of(shop, writer.finish());
  CHECK(tar.find("LIBARCHIVE") == std::string::npos);
  CHECK(tar.find("SCHILY.xattr.user.k=v\n") != std::string::npos);
  CHECK(tar.find("root") == std::string::npos);
}

TEST_CASE("an attribute's name stands as it is, and one with '=' by a key that can hold it") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("none"));
  FileEntry entry = entry_of(std::string(90, 'd') + "/" + std::string(120, 'f'), EntryType::file);
  entry.xattrs = {{"security.capability", std::string("\1\0=\n", 4)},
                  {"user.caf\xc3\xa9", "1 user.x=2\n"},
                  {"user.100%", "percent"},
                  {"user.a=b", std::string("\0=\n", 3)},
                  {"user.two words", ""},
                  {"user.\xff\n", "bytes"}};
  writer.add(folder_of(std::string(90, 'd')));
  add_file(writer, entry, "x");
  add_file(writer, entry_of("g", EntryType::file), "y");
  const std::string tar = tar_of(shop, writer.finish());
  CHECK(tar.find("SCHILY.xattr.user.caf\xc3\xa9=1 user.x=2\n") != std::string::npos);
  CHECK(tar.find("SCHILY.xattr.user.100%=percent\n") != std::string::npos);
  CHECK(tar.find("SCHILY.xattr.security.capability=") != std::string::npos);
  CHECK(tar.find("LIBARCHIVE.xattr.user.a%3Db=AD0K\n") != std::string::npos);
  CHECK(tar.find("xxx") == std::string::npos);

  MemorySource source(tar);
  TarReader reader(source, "layer", Whiteouts::recognise);
  REQUIRE(reader.next() != nullptr);
  const FileEntry* read = reader.next();
  REQUIRE(read != nullptr);
  CHECK(read->path == entry.path);
  CHECK(read->xattrs == entry.xattrs);
  read = reader.next();
  REQUIRE(read != nullptr);
  CHECK(read->xattrs.empty());

  const std::string seen = output_of(
      {"python3", "-c",
       "import sys, tarfile\nfor e in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'): print(sorted(e.pax_headers))"},
      tar);
  CHECK(seen.find("'SCHILY.xattr.user.caf\xc3\xa9'") != std::string::npos);
  CHECK(seen.find("'SCHILY.xattr.user.two words'") != std::string::npos);
}

TEST_CASE("files stream from their descriptors, and one that changed fails by name") {
  Workshop shop;
  const std::string text = varied_bytes(1 << 20, 3);
  write_file_atomically(shop.path("data"), text);
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  FileEntry entry = file_of("data", text);
  writer.add(entry, open_read(shop.path("data")), "data");
  const auto changed = [&](FileEntry wrong) {
    LayerWriter other(shop.store, shop.pool, with("gzip"));
    return message_of([&] { other.add(wrong, open_read(shop.path("data")), "'src/data'"); });
  };
  const std::string expected = "'src/data' changed while it was being read; build again";
  entry.size -= 1;
  CHECK(changed(entry) == expected);
  entry.size += 2;
  CHECK(changed(entry) == expected);
  entry.size -= 1;
  entry.content = oci::sha256_of("something else");
  CHECK(changed(entry) == expected);
  entry.content = {};
  CHECK(changed(entry) == "no error");
  CHECK(IndexCache(shop.store).find(writer.finish().diff_id)->find("data")->content == oci::sha256_of(text));
}

TEST_CASE("names like whiteouts are ordinary in a layer, which says that it has one") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  const std::vector<FileEntry> entries = {folder_of(".wh.d"),
                                          entry_of(".wh.d", EntryType::opaque),
                                          file_of(".wh.d/x", "1"),
                                          folder_of("a"),
                                          file_of("a/.wh..wh..opq", ""),
                                          entry_of("a/.wh.gone", EntryType::whiteout),
                                          link_of("a/.wh.l", "x"),
                                          file_of("a/.wh.x", "2"),
                                          link_of("a/.wh.y", "a/.wh.x", EntryType::hardlink),
                                          entry_of("a/z", EntryType::whiteout)};
  for (const FileEntry& entry : entries) {
    const std::string_view text = entry.path.ends_with("/x") ? "1" : "2";
    if (entry.type == EntryType::file && entry.size > 0) {
      add_file(writer, entry, text);
    } else {
      writer.add(entry);
    }
  }
  const LayerValue layer = writer.finish();
  CHECK(layer.blobs[0].descriptor.annotations.at(std::string(kOrdinaryNameAnnotation)) == ".wh.d");
  // What the index says, and what a reader finds who has the tar alone, are the same.
  const auto written = IndexCache(shop.store).find(layer.diff_id);
  const auto tar = open_layer_tar(shop.store, shop.pool, layer.blobs[0].descriptor, nullptr);
  TarReader reader(*tar, "layer", Whiteouts::recognise);
  std::string told;
  while (const FileEntry* entry = reader.next()) {
    told += to_letter(entry->type);
    told += ":" + entry->path + " ";
    CHECK(written->find(entry->path) != nullptr);
    CHECK(entry->xattrs.empty());
  }
  CHECK(told == "d:.wh.d o:.wh.d f:.wh.d/x d:a f:a/.wh..wh..opq w:a/.wh.gone l:a/.wh.l f:a/.wh.x h:a/.wh.y w:a/z ");
  const LayerValue other = recompress_layer(shop.store, shop.pool, layer, Compression::parse("zstd"));
  CHECK(other.blob_of(Compression::parse("zstd"))->descriptor.annotations == layer.blobs[0].descriptor.annotations);
  CHECK(layer.blobs[0].descriptor.annotations.size() == 1);
}

TEST_CASE("a device that every overlay takes for a whiteout is refused") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  CHECK(error_of([&] { writer.add(entry_of("dev/x", EntryType::char_device)); }) ==
        "build: 'dev/x' cannot be in a layer: a character device 0:0 means a removed file there");
}

TEST_CASE("entries out of order, twice, or linked to nothing are refused") {
  Workshop shop;
  const auto refused = [&](const std::vector<FileEntry>& entries, const char* message) {
    LayerWriter writer(shop.store, shop.pool, with("gzip"));
    for (std::size_t i = 0; i + 1 < entries.size(); ++i) writer.add(entries[i]);
    CHECK_ERROR(writer.add(entries.back()), Category::build, message);
  };
  refused({folder_of("b"), folder_of("a")}, "layer: entry 'a' came after 'b'; expected each path once, in order");
  refused({folder_of("a"), folder_of("a")}, "layer: entry 'a' came after 'a'; expected each path once, in order");
  refused({entry_of("a", EntryType::whiteout), folder_of("a")},
          "layer: entry 'a' came after 'a'; expected each path once, in order");
  refused({link_of("b", "a", EntryType::hardlink)}, "layer: hard link 'b' to 'a', which is no file added before it");
  refused({folder_of("a"), link_of("b", "a", EntryType::hardlink)},
          "layer: hard link 'b' to 'a', which is no file added before it");
  refused({file_of("a", "data is missing")}, "layer: file 'a' came without its data");
  refused({folder_of("../a")}, "layer: entry '../a' has no canonical path");
}

TEST_CASE("a time that tar headers have no room for is the nearest, and reads back") {
  for (const std::int64_t time : {std::int64_t{1} << 60, -(std::int64_t{1} << 60)}) {
    CAPTURE(time);
    Workshop shop;
    LayerWriter writer(shop.store, shop.pool, {});
    FileEntry entry = folder_of("a");
    entry.mtime = time;
    writer.add(entry);
    const LayerValue layer = writer.finish();
    const std::int64_t nearest = time < 0 ? -(std::int64_t{1} << 54) : std::int64_t{1} << 54;
    CHECK(IndexCache(shop.store).find(layer.diff_id)->find("a")->mtime == nearest);
    const std::string tar = tar_of(shop, layer);
    MemorySource source(tar);
    TarReader reader(source, "it", Whiteouts::recognise);
    const FileEntry* read = reader.next();
    REQUIRE(read);
    CHECK(read->path == "a");
    CHECK(read->mtime == nearest);
  }
}

TEST_CASE("times are set or clamped as asked, and whiteouts have none") {
  Workshop shop;
  LayerWriterOptions options;
  options.clamp_mtime = 1000;
  LayerWriter writer(shop.store, shop.pool, options);
  FileEntry early = folder_of("a");
  early.mtime = 500;
  FileEntry late = folder_of("b");
  late.mtime = 5000;
  writer.add(early);
  writer.add(late);
  writer.add(entry_of("c", EntryType::whiteout));
  const auto index = IndexCache(shop.store).find(writer.finish().diff_id);
  CHECK(index->find("a")->mtime == 500);
  CHECK(index->find("b")->mtime == 1000);
  CHECK(index->find("c")->mtime == 0);
}

TEST_CASE("a writer that is dropped leaves no blob") {
  Workshop shop;
  {
    LayerWriter writer(shop.store, shop.pool, with("gzip"));
    add_file(writer, entry_of("a", EntryType::file), varied_bytes(20 << 20, 4));
  }
  std::size_t blobs = 0;
  for (const auto& item : fs::directory_iterator(shop.store.home().blobs())) blobs += item.exists() ? 1 : 0;
  CHECK(blobs == 0);
}

TEST_CASE("a writer works inside a job of its own pool") {
  TempDir dir;
  ThreadPool pool(1);
  ContentStore store(HomeLayout::open(dir.path() / "home"));
  auto layer = pool.submit([&] {
    LayerWriter writer(store, pool, with("gzip"));
    add_file(writer, entry_of("a", EntryType::file), varied_bytes(40 << 20, 5));
    return writer.finish();
  });
  CHECK(layer.get().unpacked_bytes > (40 << 20));
}

TEST_CASE("a layer can be compressed another way and stays the same layer") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  add_everything(writer);
  const LayerValue gzip = writer.finish();
  const LayerValue both = recompress_layer(shop.store, shop.pool, gzip, Compression::parse("zstd"));
  CHECK(both.diff_id == gzip.diff_id);
  REQUIRE(both.blobs.size() == 2);
  const LayerBlob* zstd = both.blob_of(Compression::parse("zstd"));
  REQUIRE(zstd != nullptr);
  const auto index = IndexCache(shop.store).load(*both.index);
  CHECK(index->frames_of(zstd->descriptor.digest)->size() == 2);
  CHECK(index->frames_of(gzip.blobs.at(0).descriptor.digest)->size() == 2);

  LayerWriter direct(shop.store, shop.pool, with("zstd"));
  add_everything(direct);
  CHECK(direct.finish().blobs.at(0).descriptor == zstd->descriptor);
}

TEST_CASE("a layer is compressed another way once, for as long as the store has the blob") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("gzip"));
  add_everything(writer);
  const LayerValue gzip = writer.finish();
  const Compression zstd = Compression::parse("zstd");
  const LayerValue first = recompress_layer(shop.store, shop.pool, gzip, zstd);
  // Where the blob that it would be made from is gone, only the memory can answer.
  shop.store.remove_damaged(gzip.blobs.at(0).descriptor.digest);
  const LayerValue second = recompress_layer(shop.store, shop.pool, gzip, zstd);
  CHECK(second.blobs == first.blobs);
  CHECK_ERROR(recompress_layer(shop.store, shop.pool, gzip, Compression::parse("zstd", 7)), Category::machine,
              doctest::Contains("none of its blobs is in the store"));
  shop.store.remove_damaged(first.blob_of(zstd)->descriptor.digest);
  CHECK_ERROR(recompress_layer(shop.store, shop.pool, gzip, zstd), Category::machine,
              doctest::Contains("none of its blobs is in the store"));
}

TEST_CASE("a layer value survives JSON, and wrong JSON is refused") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("zstd"));
  add_everything(writer);
  const LayerValue layer = writer.finish();
  CHECK(layer_value_from_json(to_json(layer), "record") == layer);
  CHECK_FALSE(to_json(layer).contains("part"));
  LayerValue part = layer;
  part.part = "torch 2.3.1";
  CHECK(layer_value_from_json(to_json(part), "record") == part);
  part.part = "a\nb" + std::string(5000, 'c');
  const std::string shown = layer_value_from_json(to_json(part), "record").part;
  CHECK(shown.size() < 2100);
  CHECK(shown.find('\n') == std::string::npos);
  auto broken = to_json(layer);
  broken.erase("diff_id");
  CHECK(message_of([&] { layer_value_from_json(broken, "record 'x'"); }) == "record 'x': misses 'diff_id'");
  broken = to_json(layer);
  broken["blobs"][0]["compression"] = "lz4";
  CHECK(message_of([&] { layer_value_from_json(broken, "record"); }).starts_with("record: 'blobs/0/compression': "));
  CHECK(message_of([&] { layer_value_from_json(nlohmann::json::array(), "record"); }) == "record: expected an object");
}

TEST_CASE("a cancelled layer stops") {
  Workshop shop;
  CancelToken cancel;
  LayerWriter writer(shop.store, shop.pool, with("gzip"), cancel);
  cancel.cancel(2);
  CHECK_ERROR(writer.add(folder_of("a")), Category::cancelled, "stopped on request");
}

TEST_CASE("files that come to more than could be unpacked again are refused before a byte of them is read") {
  Workshop shop;
  LayerWriter writer(shop.store, shop.pool, with("none"));
  add_file(writer, entry_of("a", EntryType::file), "12345");
  EndlessZeros zeros;
  FileEntry holes = entry_of("b", EntryType::file);
  holes.size = kMaxLayerFileBytes - 4;
  CHECK_ERROR(writer.add(holes, zeros, "b"), Category::build,
              "'/b' has 275 GB, with which the files of its layer come to more than 256 GiB; leave it out, or "
              "mount it");
  CHECK(zeros.bytes == 0);
  FileEntry second = link_of("c", "a", EntryType::hardlink);
  writer.add(second);
}
