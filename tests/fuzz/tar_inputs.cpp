#include "tests/fuzz/tar_inputs.hpp"

#include <cstdio>
#include <cstring>

#include "builder/layer/tar_encoder.hpp"
#include "tests/unit/layer/tar_fixture.hpp"

namespace kiln::fuzz {

namespace {

using test::RawTar;

FileEntry entry_of(std::string path, EntryType type) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = 0755;
  entry.mtime = 1'700'000'000;
  return entry;
}

// What the writer of layers writes, with all that ustar alone cannot say.
std::string written_tar() {
  std::string tar;
  TarEncoder encoder([&](std::string_view piece) { tar += piece; });
  FileEntry root = entry_of("", EntryType::directory);
  root.uid = 4'000'000'000;
  FileEntry file = entry_of("a/" + std::string(120, 'n') + "/" + std::string(120, 'm'), EntryType::file);
  file.size = 3;
  file.xattrs = {{"security.capability", std::string("\1\0\0\2", 4)}, {"user.k", "v\n"}};
  FileEntry symlink = entry_of("b", EntryType::symlink);
  symlink.link = std::string(150, 'l');
  symlink.mtime = -5;
  FileEntry hardlink = entry_of("c", EntryType::hardlink);
  hardlink.link = file.path;
  FileEntry device = entry_of("d", EntryType::char_device);
  device.device_major = 300'000;
  FileEntry ordinary = entry_of(".wh.e", EntryType::file);
  ordinary.xattrs = {{std::string(kOrdinaryNameXattr), "1"}};
  for (const FileEntry& entry :
       {root, entry_of("a", EntryType::directory), entry_of("a", EntryType::opaque), file, symlink, hardlink, device,
        entry_of("f", EntryType::fifo), entry_of("g", EntryType::whiteout), ordinary}) {
    encoder.header(entry);
    if (entry.size != 0) encoder.data(std::string(entry.size, 'x'));
  }
  encoder.finish();
  return tar;
}

}  // namespace

std::string sealed_tar(std::string_view input) {
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

TarLimits small_tar_limits() {
  TarLimits small;
  small.max_entries = 1000;
  small.max_file_bytes = 1 << 20;
  small.max_total_bytes = 4 << 20;
  return small;
}

std::vector<std::string> tar_seeds() {
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
          RawTar().file("f", "1").file("f/x", "2").folder("f/").file("f", "3").hardlink("g", "f").file("f", "4").str(),
          written_tar()};
}

std::vector<std::string> tar_words() {
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
          "14 linkpath=a\n",
          "GNU.sparse.map",
          "GNU.sparse.realsize",
          "SCHILY.xattr.",
          "LIBARCHIVE.xattr.",
          "ustar  ",
          "\xff\xff",
          "0000000"};
}

}  // namespace kiln::fuzz
