#include "builder/layer/frame_reader.hpp"

#include <doctest/doctest.h>

#include "base/temp_dir.hpp"
#include "registry/store/layer_facts.hpp"
#include "tests/support/add_file.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

// Bytes that do not compress to nothing, other ones for each seed.
std::string framed_bytes(std::size_t size, std::uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>('a' + (seed >> 28));
  }
  return bytes;
}

struct FramedLayer {
  TempDir folder;
  ContentStore store{HomeLayout::open(folder.path())};
  ThreadPool pool{2};
  std::map<std::string, std::string> files;
  LayerValue layer;

  explicit FramedLayer(const char* compression) {
    LayerWriterOptions options;
    options.compression = Compression::parse(compression);
    LayerWriter writer(store, pool, options);
    const auto add = [&](const std::string& path, std::size_t size, const FileEntry& like = {}) {
      FileEntry entry = like;
      entry.path = path;
      entry.mode = 0644;
      files[path] = framed_bytes(size, static_cast<std::uint32_t>(files.size()));
      test::add_file(writer, entry, files[path]);
    };
    FileEntry odd;
    odd.xattrs = {{"user.note", std::string(700, 'x')}};
    odd.uid = 3'000'000;
    odd.mtime = -1;
    add("a", 100, odd);
    add("b" + std::string(120, 'b'), 5 << 20);  // a name of pax, over a border of frames
    add("c", 512);
    FileEntry link;
    link.type = EntryType::symlink;
    link.path = "d";
    link.link = std::string(200, 'l');
    writer.add(link);
    add("e", (4 << 20) - 1);
    add("f", 1);
    add("g", 9 << 20);
    add("h", 3);
    layer = writer.finish();
  }

  FileIndex index() const {
    IndexCache cache(store);
    return *cache.find(layer.diff_id);
  }
  const oci::Descriptor& blob() const { return layer.blobs.front().descriptor; }
};

}  // namespace

TEST_CASE("files are read out of the frames that they are in, of every compression") {
  for (const char* compression : {"gzip", "zstd"}) {
    CAPTURE(compression);
    const FramedLayer made(compression);
    const FileIndex index = made.index();
    const std::vector<Frame>* frames = index.frames_of(made.blob().digest);
    REQUIRE(frames != nullptr);
    REQUIRE(frames->size() > 4);
    const auto offsets = data_offsets(index);
    REQUIRE(offsets);
    FrameReader reader(made.store, made.blob(), *frames);
    for (std::size_t i = index.entries().size(); i-- > 0;) {
      const FileEntry& entry = index.entries()[i];
      if (entry.type != EntryType::file) continue;
      CAPTURE(entry.path);
      CHECK((reader.read((*offsets)[i], entry.size) == made.files.at(entry.path)));
    }
  }
}

TEST_CASE("behind the end of a tar is nothing to read, and a damaged frame is told") {
  const FramedLayer made("gzip");
  const FileIndex index = made.index();
  const std::vector<Frame> frames = *index.frames_of(made.blob().digest);
  const std::string name = "'layer blob " + made.blob().digest.str() + "'";
  FrameReader reader(made.store, made.blob(), frames);
  CHECK(reader.read(index.unpacked_bytes(), 0).empty());
  CHECK_ERROR(reader.read(index.unpacked_bytes() - 1, 2), Category::build,
              (name + " ends before byte " + std::to_string(index.unpacked_bytes() + 1) + " of its tar").c_str());
  std::vector<Frame> wrong = frames;
  ++wrong.front().unpacked_bytes;
  FrameReader damaged(made.store, made.blob(), wrong);
  CHECK_ERROR(damaged.read(0, 1), Category::build,
              (name + " is damaged: a part of its gzip data is not what the file index says").c_str());
}

TEST_CASE("of a tar whose length is not that of its entries nothing is computed") {
  FileIndex::Parts parts;
  FileEntry entry;
  entry.path = "a";
  entry.size = 600;
  entry.content = oci::sha256_of("content");
  parts.diff_id = oci::sha256_of("tar");
  parts.entries = {entry};
  parts.unpacked_bytes = 512 + 1024 + 1024;
  CHECK(data_offsets(FileIndex(parts)) == std::vector<std::uint64_t>{512});
  parts.unpacked_bytes += 512;
  CHECK_FALSE(data_offsets(FileIndex(parts)));
}
