#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/layer/layer_reader.hpp"
#include "builder/layer/tar_import.hpp"
#include "builder/layer/tar_order.hpp"
#include "builder/layer/unpack.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/layer/tar_fixture.hpp"

// Any bytes as a tar: read as a layer, put in order, made an index, imported, unpacked. Checksums are corrected first,
// or hardly an input would get past the first header.
namespace kiln::fuzz {

namespace {

std::string sealed(std::string_view input) {
  std::string tar(input);
  tar.resize((tar.size() + 511) / 512 * 512, '\0');
  for (std::size_t at = 0; at < tar.size(); at += 512) {
    if (std::memcmp(tar.data() + at + 257, "ustar", 5) != 0) continue;
    std::memset(tar.data() + at + 148, ' ', 8);
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[at + i]);
    std::snprintf(tar.data() + at + 148, 8, "%06o", sum);
  }
  return tar;
}

TarLimits limits() {
  TarLimits small;
  small.max_entries = 1000;
  small.max_file_bytes = 1 << 20;
  small.max_total_bytes = 4 << 20;
  return small;
}

void index(const std::string& tar) {
  MemorySource source(tar);
  TarReader reader(source, "input", Whiteouts::recognise, limits());
  std::vector<FileEntry> entries;
  std::string buffer(4096, '\0');
  while (const FileEntry* next = reader.next()) {
    FileEntry entry = *next;
    std::uint64_t size = 0;
    while (const std::size_t count = reader.read(buffer.data(), buffer.size())) size += count;
    require(size == entry.size || entry.type != EntryType::file, "a file of another size than its entry says");
    if (entry.type == EntryType::file) entry.content = oci::sha256_of(entry.path);
    entries.push_back(std::move(entry));
  }
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of(tar);
  for (TarEntry& item : settle_tar_entries(std::move(entries), "input")) parts.entries.push_back(std::move(item.entry));
  try {
    const FileIndex built(std::move(parts));
    require(FileIndex::parse(built.serialise(), "again") == built, "an index that cannot be read back");
  } catch (const Error&) {
    require(false, "settled entries that are no index");
  }
}

void unpack(const std::string& tar, UnpackTo to) {
  const TempDir dir;
  const fs::path folder = dir.path() / "in";
  fs::create_directory(folder);
  write_file_atomically(dir.path() / "outside", "untouched", Durability::ephemeral);
  UnpackOptions options;
  options.to = to;
  options.ownership = false;
  options.devices = false;
  options.overlay_xattrs = OverlayXattrs::user;
  MemorySource source(tar);
  try {
    unpack_tar(source, "input", folder, {}, options);
  } catch (const Error& error) {
    require(error.category() == Category::build || error.category() == Category::machine, "another category");
  }
  std::size_t names = 0;
  for (const auto& item : fs::directory_iterator(dir.path())) names += item.path().empty() ? 0 : 1;
  require(names == 2 && read_file(dir.path() / "outside") == "untouched", "something outside the folder was touched");
}

void import(const std::string& tar) {
  MemorySource source(tar);
  const TarImport imported(spool_to_file(source, fs::temp_directory_path(), 1 << 30, "input"), "input",
                           {Whiteouts::ordinary, limits()});
  for (std::size_t i = 0; i < imported.entries().size(); ++i) {
    const FileEntry& entry = imported.entries()[i];
    if (entry.type != EntryType::file) continue;
    require(oci::sha256_of(read_to_end(*imported.open(i), 1 << 20, "input")) == entry.content, "data of another file");
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  const std::string tar = sealed(input);
  for (const auto& use :
       {+[](const std::string& bytes) { index(bytes); }, +[](const std::string& bytes) { import(bytes); }}) {
    try {
      use(tar);
    } catch (const Error& error) {
      require(error.category() == Category::build, "another category");
    }
  }
  unpack(tar, UnpackTo::overlay_lower);
  unpack(tar, UnpackTo::plain_tree);
}

std::vector<std::string> seeds() {
  using test::RawTar;
  return {RawTar().folder("a/").file("a/x", "text").symlink("a/l", "../b").hardlink("h", "a/x").str(),
          RawTar().folder("d/").file("d/.wh..wh..opq", "").file(".wh.e", "").folder("e/").file("e/f", "1").str(),
          RawTar().file(".wh.a", "").file(".wh.b", "").str(),
          RawTar().file(".wh..wh..opq", "").str(),
          RawTar().symlink("s", "..").file("s/outside", "evil").symlink("t", "/").folder("t/").str(),
          RawTar().pax("path", "long/name").pax("SCHILY.xattr.user.k", "v").pax("mtime", "1.5").file("x", "y").str(),
          RawTar()
              .add('L', "././@LongLink", std::string(200, 'n'))
              .file("x", "y")
              .device("dev", "0000000", "0000000")
              .str(),
          RawTar().add('x', "p", "23 GNU.sparse.map=1,2\n24 GNU.sparse.size=100\n").file("sparse", "ab").str(),
          RawTar().file("f", "1").file("f/x", "2").folder("f/").file("f", "3").hardlink("g", "f").file("f", "4").str()};
}

std::vector<std::string> words() {
  using test::RawTar;
  return {RawTar().folder("a/").without_end(),
          RawTar().file("a", "1").without_end(),
          RawTar().symlink("a", "..").without_end(),
          RawTar().symlink("x", "/").without_end(),
          RawTar().hardlink("b", "a").without_end(),
          RawTar().file("a/.wh.b", "").without_end(),
          RawTar().file("a/.wh..wh..opq", "").without_end(),
          RawTar().file("a/b/c", "2").without_end(),
          "../",
          "/",
          ".wh.",
          std::string(512, '\0'),
          "11 path=x/y\n",
          "\xff\xff",
          "0000000"};
}

}  // namespace kiln::fuzz
