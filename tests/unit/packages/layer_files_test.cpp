#include "builder/packages/layer_files.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/temp_dir.hpp"
#include "tests/support/add_file.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

// A layer of a few frames: a small file before, within and behind much else.
struct LargeLayer {
  TempDir folder;
  ContentStore store{HomeLayout::open(folder.path())};
  ThreadPool pool{2};
  oci::Descriptor blob;
  std::shared_ptr<const FileIndex> index;

  LargeLayer() {
    LayerWriter writer(store, pool, {});
    const auto add = [&](const char* path, std::string_view bytes) {
      FileEntry entry;
      entry.path = path;
      test::add_file(writer, entry, bytes);
    };
    std::string bulk(std::size_t{9} << 20, '\0');
    std::uint32_t seed = 1;
    for (char& byte : bulk) {
      seed = seed * 1664525 + 1013904223;
      byte = static_cast<char>(seed >> 24);
    }
    add("a", "first");
    add("b", bulk);
    add("c", "second");
    add("d", bulk);
    add("e", "last");
    const LayerValue layer = writer.finish();
    blob = layer.blobs.front().descriptor;
    IndexCache cache(store);
    index = cache.find(layer.diff_id);
  }

  std::map<std::string, std::string> read(const std::set<std::string>& paths) {
    return read_layer_files(store, pool, blob, *index, paths, {});
  }
  // Overwrites a byte in the middle of a file of random bytes, which stand in the blob as they are.
  void damage(double where) {
    const fs::path path = store.path_of(blob.digest);
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(static_cast<double>(blob.size) * where));
    file.write("damage damage damage", 20);
  }
};

}  // namespace

TEST_CASE("some files of a layer are read out of the frames that they are in, and of no others") {
  LargeLayer layer;
  const std::set<std::string> small = {"a", "c", "e", "no such file"};
  const std::map<std::string, std::string> expected = {{"a", "first"}, {"c", "second"}, {"e", "last"}};
  CHECK(layer.read(small) == expected);
  layer.damage(0.3);
  CHECK(layer.read(small) == expected);
  CHECK(layer.read({}).empty());
}

TEST_CASE("what is wrong with a layer is told where a file that is wanted is in it") {
  LargeLayer layer;
  layer.damage(0.3);
  std::string message;
  try {
    layer.read({"b"});
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK_MESSAGE(message.starts_with("'layer blob " + layer.blob.digest.str() + "' is damaged"), message);
}
