#include "builder/layer/unpack.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "layer_fixture.hpp"
#include "tar_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

bool is_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: needs root");
  return false;
}

struct stat status_of(const fs::path& path) {
  struct stat info;
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info;
}
bool is_whiteout(const fs::path& path) {
  const auto info = status_of(path);
  return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}
bool is_opaque(const fs::path& path) {
  char value = 0;
  return ::lgetxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

struct Target {
  Workshop shop;
  fs::path folder = shop.path("out");
  UnpackOptions options;
  LowerLayers lower;
  Target() {
    fs::create_directory(folder);
    write_file_atomically(shop.path("outside"), "untouched");
  }

  UnpackResult unpack(const std::string& tar) {
    MemorySource source(tar);
    return unpack_tar(source, "a layer", folder, lower, options);
  }
  std::string text(const char* path) const { return read_file(folder / path); }
  void check_untouched() const {
    CHECK(read_file(shop.path("outside")) == "untouched");
    std::size_t count = 0;
    for (const auto& item : fs::directory_iterator(shop.dir.path())) count += item.path().filename() == "home" ? 0 : 1;
    CHECK(count == 2 + lower.folders.size());
  }
};

}  // namespace

TEST_CASE("a layer that was written comes out as it went in") {
  if (!is_root()) return;
  Target target;
  LayerWriterOptions writer_options;
  LayerWriter writer(target.shop.store, target.shop.pool, writer_options);
  std::vector<FileEntry> entries;
  const auto add = [&](FileEntry entry, std::string_view text = {}) {
    entry.mtime = 1000 + std::ssize(entries);
    if (entry.type == EntryType::file) {
      entry.size = text.size();
      entry.content = oci::sha256_of(text);
      add_file(writer, entry, text);
    } else {
      writer.add(entry);
    }
    entries.push_back(entry);
  };
  add(folder_of("bin", 0555));
  FileEntry ping = entry_of("bin/ping", EntryType::file, 04711);
  ping.uid = 12;
  ping.gid = 34;
  ping.xattrs["security.capability"] =
      std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  ping.xattrs["user.k"] = "v";
  add(ping, "program");
  FileEntry device = entry_of("dev-null", EntryType::char_device, 0666);
  device.device_major = 1;
  device.device_minor = 3;
  add(device);
  add(folder_of("tmp", 01777));
  add(entry_of("tmp/caf\xe9", EntryType::file, 0600), varied_bytes(1 << 20, 1));
  add(entry_of("tmp/pipe", EntryType::fifo, 0640));
  FileEntry symlink = link_of("tmp/sym", "../bin/ping");
  symlink.uid = 99;
  add(symlink);
  const LayerValue layer = writer.finish();

  const auto index = IndexCache(target.shop.store).find(layer.diff_id);
  const UnpackResult result = unpack_layer(target.shop.store, target.shop.pool, layer.blobs.at(0).descriptor, &*index,
                                           target.folder, target.lower, target.options);
  CHECK(result.entries == entries.size());
  ScanOptions options;
  ScannedTree scanned = scan_tree(target.folder, options, target.shop.pool);
  hash_files(target.folder, scanned, nullptr, target.shop.pool);
  CHECK(scanned.entries == entries);
  CHECK((status_of(target.folder).st_mode & 07777) == 0755);
}

TEST_CASE("large files are written by several threads, with their holes, times and later entries of the same name") {
  Target target;
  std::string text = varied_bytes(5 << 20, 7);
  std::fill_n(text.begin() + (2 << 20), 1 << 20, '\0');   // a hole in the middle,
  std::fill(text.end() - (700 << 10), text.end(), '\0');  // and one at the end
  LayerWriter writer(target.shop.store, target.shop.pool, {});
  FileEntry entry = entry_of("large", EntryType::file, 0604);
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  entry.mtime = 1234;
  entry.size = text.size();
  entry.content = oci::sha256_of(text);
  add_file(writer, entry, text);
  FileEntry zeros = entry;
  zeros.path = "zeros";
  const std::string nothing(3 << 20, '\0');
  zeros.size = nothing.size();
  zeros.content = oci::sha256_of(nothing);
  add_file(writer, zeros, nothing);
  const LayerValue layer = writer.finish();
  const auto index = IndexCache(target.shop.store).find(layer.diff_id);
  for (const FileIndex* known : {&*index, static_cast<const FileIndex*>(nullptr)}) {
    const UnpackResult result = unpack_layer(target.shop.store, target.shop.pool, layer.blobs.at(0).descriptor, known,
                                             target.folder, target.lower, target.options);
    CHECK(result.bytes == text.size() + nothing.size());
    CHECK(target.text("large") == text);
    CHECK(target.text("zeros") == nothing);
    const struct stat large = status_of(target.folder / "large");
    CHECK((large.st_mode & 07777) == 0604);
    CHECK(large.st_mtim.tv_sec == 1234);
    CHECK(large.st_blocks * 512 <= large.st_size - (1 << 20));
    CHECK(status_of(target.folder / "zeros").st_blocks * 512 < 4096 * 16);
  }
}

TEST_CASE("a large file that finds no room fails by its name") {
  if (!is_root()) return;
  Target target;
  const std::string text = varied_bytes(4 << 20, 9);
  LayerWriter writer(target.shop.store, target.shop.pool, {});
  FileEntry entry = entry_of("large", EntryType::file);
  entry.size = text.size();
  entry.content = oci::sha256_of(text);
  add_file(writer, entry, text);
  const LayerValue layer = writer.finish();
  REQUIRE(::mount("tmpfs", target.folder.c_str(), "tmpfs", 0, "size=2m") == 0);
  const auto index = IndexCache(target.shop.store).find(layer.diff_id);
  const std::string message = message_of([&] {
    unpack_layer(target.shop.store, target.shop.pool, layer.blobs.at(0).descriptor, &*index, target.folder,
                 target.lower, target.options);
  });
  REQUIRE(::umount(target.folder.c_str()) == 0);
  INFO(message);
  CHECK(message.find("large") != std::string::npos);
  CHECK(message.find("no space left") != std::string::npos);
}

TEST_CASE("names and links that lead out touch nothing outside") {
  if (!is_root()) return;
  const std::vector<std::string> tars{
      RawTar().file("../outside", "evil").str(),
      RawTar().file("a/../../outside", "evil").str(),
      RawTar().symlink("up", "..").file("up/outside", "evil").str(),
      RawTar().symlink("up", "/").symlink("up2", "up/../..").file("up2/outside", "evil").str(),
      RawTar().hardlink("h", "../outside").str(),
      RawTar().symlink("s", "../outside").hardlink("h", "s").file("h", "evil").str(),
      RawTar().symlink("s", "../outside").file("s", "evil").str(),
      RawTar().folder("d/").symlink("d", "..").file("d/outside", "evil").str(),
      RawTar().file("d", "1").file("d/outside", "evil").str(),
      RawTar().symlink("s", "..").file("s/.wh.outside", "").str(),
      RawTar().symlink("s", "..").file("s/.wh..wh..opq", "").str(),
      RawTar().pax("path", "../../outside").file("x", "evil").str(),
  };
  for (std::size_t i = 0; i < tars.size(); ++i) {
    CAPTURE(i);
    for (const UnpackTo to : {UnpackTo::overlay_lower, UnpackTo::plain_tree}) {
      Target target;
      target.options.to = to;
      try {
        target.unpack(tars[i]);
      } catch (const Error& error) {
        CHECK(error.category() == Category::build);
      }
      target.check_untouched();
    }
  }
}

TEST_CASE("a link that stands in the folder beforehand is not written through") {
  if (!is_root()) return;
  Target target;
  fs::create_symlink("..", target.folder / "d");
  fs::create_symlink("../outside", target.folder / "f");
  target.unpack(RawTar().file("d/outside", "ours").file("f", "ours").str());
  target.check_untouched();
  CHECK(target.text("d/outside") == "ours");
  CHECK(target.text("f") == "ours");
}

TEST_CASE("an absolute symlink of the layer is followed inside the folder") {
  if (!is_root()) return;
  Target target;
  target.unpack(RawTar().symlink("etc", "/conf").file("etc/x", "1").str());
  CHECK(target.text("conf/x") == "1");
  CHECK(fs::read_symlink(target.folder / "etc") == "/conf");
}

TEST_CASE("whiteouts and opaque folders become what overlayfs reads") {
  if (!is_root()) return;
  Target target;
  target.lower.view = MergedView({index_of({file_of("gone", "1"), folder_of("b"), file_of("b/c", "2")})});
  target.unpack(
      RawTar().folder("a/").file("a/.wh..wh..opq", "").file("a/x", "1").file(".wh.gone", "").file("b/.wh.c", "").str());
  CHECK(is_opaque(target.folder / "a"));
  CHECK(is_whiteout(target.folder / "gone"));
  CHECK(is_whiteout(target.folder / "b/c"));
  CHECK_FALSE(is_opaque(target.folder / "b"));
}

TEST_CASE("a whiteout that hides nothing leaves no name, which a mount would list and not find") {
  if (!is_root()) return;
  Target target;
  target.lower.view = MergedView({index_of({folder_of("a"), file_of("a/x", "1")})});
  target.unpack(
      RawTar().file(".wh.never", "").file("new/.wh.x", "").file("a/.wh.x", "").file("a/.wh..wh..opq", "").str());
  CHECK_FALSE(fs::exists(fs::symlink_status(target.folder / "never")));
  CHECK(fs::is_empty(target.folder / "new"));
  CHECK(fs::is_empty(target.folder / "a"));
  CHECK(is_opaque(target.folder / "a"));
}

TEST_CASE("what takes a folder's place takes its files away that are on their way or never come") {
  if (!is_root()) return;
  for (const bool with_pool : {false, true}) {
    CAPTURE(with_pool);
    const auto unpacked = [&](const RawTar& tar) {
      auto target = std::make_unique<Target>();
      const std::string bytes = tar.str();
      MemorySource source(bytes);
      unpack_tar(source, "a layer", target->folder, target->lower, target->options, {},
                 with_pool ? &target->shop.pool : nullptr);
      return target;
    };
    const auto linked = unpacked(RawTar().file("d/e/f", "1").symlink("d", "elsewhere"));
    CHECK(fs::read_symlink(linked->folder / "d") == "elsewhere");
    const auto again = unpacked(RawTar().file("d/f", "1").file("d", "2").folder("d/"));
    CHECK(fs::is_empty(again->folder / "d"));
  }
}

TEST_CASE("in a user store the opaque mark is a user's attribute") {
  Target target;
  target.options.overlay_xattrs = OverlayXattrs::user;
  target.options.ownership = false;
  target.unpack(RawTar().file("a/.wh..wh..opq", "").str());
  char value = 0;
  CHECK(::lgetxattr((target.folder / "a").c_str(), "user.overlay.opaque", &value, 1) == 1);
}

TEST_CASE("a whiteout and a folder of one name hide the lower folder, in either order") {
  if (!is_root()) return;
  for (const std::string& tar : {RawTar().file(".wh.d", "").folder("d/").file("d/x", "1").str(),
                                 RawTar().folder("d/").file("d/x", "1").file(".wh.d", "").str(),
                                 RawTar().file(".wh.d", "").file("d/x", "1").str()}) {
    Target target;
    target.unpack(tar);
    CHECK(is_opaque(target.folder / "d"));
    CHECK(target.text("d/x") == "1");
  }
  Target again;
  again.unpack(RawTar().file(".wh.d", "").file("d", "1").folder("d/").str());
  CHECK(is_opaque(again.folder / "d"));
  Target target;
  target.unpack(RawTar().file(".wh.f", "").file("f", "1").file("g", "2").file(".wh.g", "").str());
  CHECK(target.text("f") == "1");
  CHECK(target.text("g") == "2");
}

TEST_CASE("a parent that the layer does not name is as the lower layers have it") {
  if (!is_root()) return;
  Target target;
  FileEntry tmp = folder_of("tmp", 01777);
  tmp.uid = 5;
  tmp.mtime = 12345;
  FileEntry root = folder_of("", 0711);
  target.lower.view = MergedView({index_of({root, tmp})});
  target.lower.folders = {target.shop.path("lower0")};
  fs::create_directory(target.lower.folders[0]);
  target.unpack(RawTar().file("tmp/x", "1").file("new/deep/y", "2").str());
  CHECK((status_of(target.folder / "tmp").st_mode & 07777) == 01777);
  CHECK(status_of(target.folder / "tmp").st_uid == 5);
  CHECK(status_of(target.folder / "tmp").st_mtim.tv_sec == 12345);
  CHECK((status_of(target.folder / "new/deep").st_mode & 07777) == 0755);
  CHECK((status_of(target.folder).st_mode & 07777) == 0711);
}

TEST_CASE("a hard link to a lower layer's file becomes a copy of it") {
  if (!is_root()) return;
  Target target;
  const fs::path below = target.shop.path("lower0");
  fs::create_directories(below / "usr");
  write_file_atomically(below / "usr/tool", "binary");
  FileEntry tool = file_of("usr/tool", "binary", 0755);
  tool.uid = 7;
  tool.mtime = 77;
  target.lower = {MergedView({index_of({folder_of("usr"), tool})}), {below}};
  target.unpack(RawTar().hardlink("usr/alias", "usr/tool").str());
  CHECK(target.text("usr/alias") == "binary");
  const auto info = status_of(target.folder / "usr/alias");
  CHECK(info.st_uid == 7);
  CHECK((info.st_mode & 07777) == 0755);
  CHECK(info.st_mtim.tv_sec == 77);
  Target lonely;
  CHECK(message_of([&] { lonely.unpack(RawTar().hardlink("a", "missing").str()); }).find("no file of this layer") !=
        std::string::npos);
}

TEST_CASE("the header of a hard link says what its file has, on the disk as in the index") {
  if (!is_root()) return;
  // CAP_NET_BIND_SERVICE, permitted; revision 2.
  const std::string capability("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  RawTar tar;
  tar.header("0000644", "0000001", "0000001", "00000000001").file("small", "1");
  tar.header("0000644", "0000001", "0000001", "00000000001").file("large", std::string(3 << 20, 'x'));
  tar.pax("SCHILY.xattr.security.capability", capability);
  tar.header("0000755", "0000001", "0000001", "00000000001").file("program", "1");
  tar.header("0000644", "0000001", "0000001", "00000000001").file("gone", std::string(3 << 20, 'x'));
  for (const char* name : {"small", "large", "program", "gone"}) {
    tar.header("0000600", "0000002", "0000002", "00000000002").hardlink(std::string("a-") + name, name);
    tar.header("0004711", "0000003", "0000004", "00000000005").hardlink(std::string("b-") + name, name);
  }
  tar.file("gone", "2").file("a-gone", "2").file("b-gone", "2");
  const std::string bytes = tar.str();
  Target target;
  MemorySource source(bytes);
  unpack_tar(source, "a layer", target.folder, target.lower, target.options, {}, &target.shop.pool);
  const oci::Descriptor blob = target.shop.store.put(bytes, oci::media_type::kOciLayer);
  const auto index =
      IndexCache(target.shop.store).find(index_layer(target.shop.store, target.shop.pool, blob, std::nullopt).diff_id);
  for (const char* name : {"small", "a-small", "b-small", "large", "a-large", "b-large", "program", "b-program"}) {
    CAPTURE(name);
    const auto info = status_of(target.folder / name);
    const FileEntry* entry = index->find(name);
    REQUIRE(entry != nullptr);
    CHECK((info.st_mode & 07777) == 04711);
    CHECK(entry->mode == 04711);
    CHECK(info.st_uid == 3);
    CHECK(entry->uid == 3);
    CHECK(info.st_gid == 4);
    CHECK(entry->gid == 4);
    CHECK(info.st_mtim.tv_sec == 5);
    CHECK(entry->mtime == 5);
  }
  std::string kept(64, '\0');
  CHECK(::lgetxattr((target.folder / "program").c_str(), "security.capability", kept.data(), kept.size()) == 20);
  for (const char* name : {"gone", "a-gone", "b-gone"}) {
    CHECK((status_of(target.folder / name).st_mode & 07777) == 0644);
    CHECK(status_of(target.folder / name).st_uid == 0);
  }
}

TEST_CASE("of many entries of one name the last is there, and links to those before it keep theirs") {
  if (!is_root()) return;
  Target target;
  RawTar tar;
  for (int i = 0; i < 500; ++i) {
    tar.file("same", std::to_string(i)).file("other", std::string(1000, 'x'));
    if (i == 250) tar.hardlink("link", "same");
    if (i == 300) tar.symlink("same", "other");
  }
  const std::string bytes = tar.str();
  MemorySource source(bytes);
  unpack_tar(source, "a layer", target.folder, target.lower, target.options, {}, &target.shop.pool);
  CHECK(target.text("same") == "499");
  CHECK(target.text("link") == "250");
  CHECK_FALSE(fs::is_symlink(target.folder / "same"));
  CHECK(target.text("other") == std::string(1000, 'x'));
}

TEST_CASE("below an opaque folder the lower layers say nothing, wherever the mark stands") {
  if (!is_root()) return;
  for (const char* mark : {"d/.wh..wh..opq", ".wh..wh..opq"}) {
    for (const bool is_first : {true, false}) {
      CAPTURE(mark);
      Target target;
      FileEntry deep = folder_of("d/e", 0700);
      deep.uid = 5;
      target.lower.view = MergedView({index_of({folder_of("d", 0711), deep})});
      target.lower.folders = {target.shop.path("lower0")};
      fs::create_directory(target.lower.folders[0]);
      RawTar tar;
      if (is_first) tar.file(mark, "");
      tar.file("d/e/x", "1");
      if (!is_first) tar.file(mark, "");
      target.unpack(tar.str());
      CHECK((status_of(target.folder / "d/e").st_mode & 07777) == 0755);
      CHECK(status_of(target.folder / "d/e").st_uid == 0);
      const unsigned of_d = std::string_view(mark).starts_with("d/") ? 0711 : 0755;
      CHECK((status_of(target.folder / "d").st_mode & 07777) == of_d);
    }
  }
}

TEST_CASE("later entries replace earlier ones, whatever they are") {
  if (!is_root()) return;
  Target target;
  target.unpack(RawTar()
                    .folder("a/")
                    .file("a/x", "1")
                    .file("a", "file")
                    .symlink("s", "a")
                    .folder("s/")
                    .file("s/y", "2")
                    .file("z", "1")
                    .file("z", "22")
                    .str());
  CHECK(target.text("a") == "file");
  CHECK(target.text("s/y") == "2");
  CHECK(target.text("z") == "22");
}

TEST_CASE(
    "small files that several threads make come out as one thread makes them, whatever has to do with one another") {
  if (!is_root()) return;
  RawTar tar;
  tar.folder("many/");
  for (int i = 0; i < 300; ++i) {
    const std::string name = "many/" + std::to_string(i);
    tar.file(name, varied_bytes(static_cast<std::size_t>(i) * 100, static_cast<unsigned>(i)));
    if (i % 50 == 7) tar.file(name, "again");  // the name twice in one batch
    if (i % 50 == 9) tar.hardlink("many/link-" + std::to_string(i), name);
    if (i % 50 == 11)
      tar.folder(name + "/").file(name + "/below", "x");  // a folder in place of a file that is on its way
    if (i % 50 == 13) tar.file(name + "/implied", "y");   // the same, unsaid
    if (i % 50 == 15) tar.symlink(name, "0");
    if (i % 50 == 17) tar.file("many/.wh." + std::to_string(i), "");
  }
  tar.folder("tree/")
      .file("tree/a", "1")
      .file("tree/b", "2")
      .file("tree", "no folder any more")
      .file("zeros", std::string(100 << 10, '\0'));
  const std::string bytes = tar.str();

  Target one;
  one.unpack(bytes);
  Target several;
  const oci::Descriptor blob = several.shop.store.put(bytes, oci::media_type::kOciLayer);
  unpack_layer(several.shop.store, several.shop.pool, blob, nullptr, several.folder, several.lower, several.options);
  const auto listed = [](Target& target) {
    ScannedTree scanned = scan_upper(target.folder, OverlayXattrs::trusted, MergedView(), target.shop.pool);
    hash_files(target.folder, scanned, nullptr, target.shop.pool);
    return scanned.entries;
  };
  const auto entries = listed(several);
  CHECK(entries.size() > 300);
  CHECK(entries == listed(one));
  CHECK(several.text("many/7") == "again");
  CHECK(several.text("many/13/implied") == "y");
  CHECK(several.text("tree") == "no folder any more");
  CHECK(status_of(several.folder / "zeros").st_blocks == 0);
}

TEST_CASE("a small file that finds no room fails by its name") {
  if (!is_root()) return;
  Target target;
  RawTar tar;
  for (int i = 0; i < 40; ++i)
    tar.file("small-" + std::to_string(i), varied_bytes(100 << 10, static_cast<unsigned>(i)));
  const oci::Descriptor blob = target.shop.store.put(tar.str(), oci::media_type::kOciLayer);
  REQUIRE(::mount("tmpfs", target.folder.c_str(), "tmpfs", 0, "size=2m") == 0);
  const std::string message = message_of([&] {
    unpack_layer(target.shop.store, target.shop.pool, blob, nullptr, target.folder, target.lower, target.options);
  });
  REQUIRE(::umount(target.folder.c_str()) == 0);
  INFO(message);
  CHECK(message.find("small-") != std::string::npos);
  CHECK(message.find("no space left") != std::string::npos);
}

TEST_CASE("in a plain tree whiteouts remove what lower layers left, and nothing of their own layer") {
  if (!is_root()) return;
  Target target;
  target.options.to = UnpackTo::plain_tree;
  target.unpack(RawTar()
                    .folder("d/")
                    .file("d/old", "1")
                    .folder("d/sub/")
                    .file("d/sub/older", "2")
                    .file("gone", "3")
                    .folder("tree/")
                    .file("tree/x", "4")
                    .str());
  target.unpack(RawTar()
                    .file("d/new", "5")
                    .file("d/.wh..wh..opq", "")
                    .file(".wh.gone", "")
                    .file(".wh.tree", "")
                    .file(".wh.never", "")
                    .str());
  CHECK(target.text("d/new") == "5");
  CHECK_FALSE(fs::exists(target.folder / "d/old"));
  CHECK_FALSE(fs::exists(target.folder / "d/sub"));
  CHECK_FALSE(fs::exists(target.folder / "gone"));
  CHECK_FALSE(fs::exists(target.folder / "tree"));
}

TEST_CASE("holes stay holes") {
  Target target;
  target.options.ownership = false;
  target.options.to = UnpackTo::plain_tree;
  std::string data(8 << 20, '\0');
  data[4 << 20] = 'x';
  target.unpack(RawTar().file("sparse", data).file("zeros", std::string(1 << 20, '\0')).str());
  CHECK(target.text("sparse") == data);
  CHECK(target.text("zeros") == std::string(1 << 20, '\0'));
  CHECK(status_of(target.folder / "sparse").st_blocks * 512 < (4 << 20));
}

TEST_CASE("devices are left out and counted where they cannot be made") {
  Target target;
  target.options.ownership = false;
  target.options.devices = false;
  const UnpackResult result = target.unpack(RawTar().device("null", "0000001", "0000003").file("f", "1").str());
  CHECK(result.devices_left_out == 1);
  CHECK_FALSE(fs::exists(target.folder / "null"));
  CHECK(target.text("f") == "1");
}

TEST_CASE("overlayfs shows unpacked layers as their merged view says") {
  if (!is_root()) return;
  Target base;
  const std::vector<std::string> tars{
      RawTar()
          .folder("a/")
          .file("a/x", "1")
          .file("a/y", "2")
          .folder("b/")
          .file("b/z", "3")
          .file("c", "4")
          .symlink("l", "a")
          .str(),
      RawTar()
          .file("a/.wh.x", "")
          .file("a/n", "5")
          .file(".wh.b", "")
          .folder("b/")
          .file("b/m", "6")
          .file(".wh.c", "")
          .hardlink("h", "a/y")
          .str(),
      RawTar().folder("c/").file("c/deep/w", "7").file("a/.wh..wh..opq", "").file("a/only", "8").str(),
  };
  std::string lowerdir;
  LowerLayers lower;
  for (std::size_t i = 0; i < tars.size(); ++i) {
    const oci::Descriptor blob = base.shop.store.put(tars[i], oci::media_type::kOciLayer);
    const IndexedLayer indexed = index_layer(base.shop.store, base.shop.pool, blob, std::nullopt);
    const fs::path folder = base.shop.path("layer" + std::to_string(i));
    fs::create_directory(folder);
    unpack_layer(base.shop.store, base.shop.pool, blob, nullptr, folder, lower, base.options);
    lower.view = lower.view.with_layer(IndexCache(base.shop.store).find(indexed.diff_id));
    lower.folders.push_back(folder);
    lowerdir = folder.native() + (lowerdir.empty() ? "" : ":") + lowerdir;
  }
  const fs::path merged = base.shop.path("merged");
  fs::create_directory(merged);
  const std::string script = "mount -t overlay -o redirect_dir=off,metacopy=off,index=off,lowerdir=" + lowerdir +
                             " none " + merged.native() + " && find " + merged.native() +
                             " -mindepth 1 -printf '%y %m %P\\n' | LC_ALL=C sort -k3";
  Command command;
  command.argv = {"unshare", "-m", "sh", "-c", script};
  const CommandResult mounted = run_command(command, CancelToken{});
  if (mounted.exit_code != 0) {
    MESSAGE("skipped: overlayfs cannot be mounted here: " << mounted.stderr_bytes);
    return;
  }
  std::vector<std::string> lines;
  lower.view.walk("", [&](const MergedView::Found& found) {
    if (found.path.empty()) return true;
    const char letter = found.entry->type == EntryType::directory ? 'd'
                        : found.entry->type == EntryType::symlink ? 'l'
                                                                  : 'f';
    char mode[8];
    std::snprintf(mode, sizeof mode, "%o", letter == 'l' ? 0777u : static_cast<unsigned>(found.entry->mode));
    lines.push_back(std::string(1, letter) + " " + mode + " " + found.path);
    return true;
  });
  std::sort(lines.begin(), lines.end(),
            [](const std::string& a, const std::string& b) { return a.substr(a.rfind(' ')) < b.substr(b.rfind(' ')); });
  std::string expected;
  for (const std::string& line : lines) expected += line + "\n";
  CHECK(mounted.stdout_bytes == expected);
}
