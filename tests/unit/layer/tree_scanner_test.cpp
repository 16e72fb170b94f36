#include "builder/layer/tree_scanner.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

std::string listed(const ScannedTree& tree) {
  std::string text;
  for (const FileEntry& entry : tree.entries) {
    text += to_letter(entry.type);
    text += ":" + entry.path + " ";
  }
  return text;
}

struct Tree {
  Workshop shop;
  fs::path root = shop.path("tree");
  Tree() { fs::create_directory(root); }

  void folder(const char* path) { fs::create_directories(root / path); }
  void file(const char* path, std::string_view text) {
    fs::create_directories((root / path).parent_path());
    write_file_atomically(root / path, text);
  }
  ScannedTree scan(const ScanOptions& options = {}) { return scan_tree(root, options, shop.pool); }
};

const FileEntry& entry_at(const ScannedTree& tree, std::string_view path) {
  for (const FileEntry& entry : tree.entries) {
    if (entry.path == path && entry.type != EntryType::opaque) return entry;
  }
  throw Error(Category::build, "no entry " + std::string(path));
}

}  // namespace

TEST_CASE("a folder is listed in entry order, whatever is in it") {
  Tree tree;
  tree.file("b/x", "1");
  tree.file("a-b", "2");
  tree.file("a/z/y", "3");
  tree.file("caf\xe9", "4");
  fs::create_symlink("/etc/passwd", tree.root / "link");
  fs::create_symlink("b", tree.root / "a/folder-link");
  REQUIRE(::mkfifo((tree.root / "pipe").c_str(), 0600) == 0);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", tree.root.c_str());
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);

  const ScannedTree scanned = tree.scan();
  CHECK(listed(scanned) == "d:a l:a/folder-link d:a/z f:a/z/y f:a-b d:b f:b/x f:caf\xe9 l:link p:pipe ");
  CHECK(entry_at(scanned, "link").link == "/etc/passwd");
  CHECK(entry_at(scanned, "a/z/y").size == 1);
  CHECK(scanned.stamps.size() == scanned.entries.size());
}

TEST_CASE("modes, owners, times and attributes are read, and the machine's are not") {
  Tree tree;
  tree.file("f", "text");
  const std::string path = (tree.root / "f").native();
  REQUIRE(::chmod(path.c_str(), 04750) == 0);
  REQUIRE(::setxattr(path.c_str(), "user.note", "v", 1, 0) == 0);
  REQUIRE(::setxattr(path.c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  const timespec times[2] = {{1234567, 5}, {1234567, 5}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  const FileEntry entry = entry_at(tree.scan(), "f");
  CHECK(entry.mode == 04750);
  CHECK(entry.uid == ::geteuid());
  CHECK(entry.mtime == 1234567);
  CHECK(entry.xattrs == Xattrs{{"user.note", "v"}});
  ScanOptions without;
  without.xattrs = false;
  CHECK(entry_at(tree.scan(without), "f").xattrs.empty());
}

TEST_CASE("what the verdict excludes is not entered, and parents of what it includes come along") {
  Tree tree;
  tree.file("keep/a", "1");
  tree.file("drop/deep/keep-me", "2");
  tree.file("drop/deep/other", "3");
  tree.file("drop/empty/none", "4");
  tree.file("gone/secret", "5");
  std::mutex mutex;
  std::vector<std::string> asked;
  ScanOptions options;
  options.verdict = [&](std::string_view path, bool is_directory) {
    const std::lock_guard lock(mutex);
    asked.emplace_back(path);
    if (path == "gone") return ScanVerdict::exclude;
    if (path == "drop/deep/keep-me" || path.starts_with("keep")) return ScanVerdict::include;
    return is_directory ? ScanVerdict::look_below : ScanVerdict::exclude;
  };
  CHECK(listed(tree.scan(options)) == "d:drop d:drop/deep f:drop/deep/keep-me d:keep f:keep/a ");
  CHECK(std::find(asked.begin(), asked.end(), "gone/secret") == asked.end());
}

TEST_CASE("a second name of one file is a file of its own in a context") {
  Tree tree;
  tree.file("a", "1");
  fs::create_hard_link(tree.root / "a", tree.root / "b");
  CHECK(listed(tree.scan()) == "f:a f:b ");
}

TEST_CASE("files are hashed in parallel, and an unchanged one not again") {
  Tree tree;
  for (int i = 0; i < 50; ++i)
    tree.file(("d" + std::to_string(i % 5) + "/f" + std::to_string(i)).c_str(),
              varied_bytes(5000, static_cast<std::uint32_t>(i)));
  tree.file("empty", "");
  ScannedTree scanned = tree.scan();
  hash_files(tree.root, scanned, nullptr, tree.shop.pool);
  CHECK(entry_at(scanned, "d3/f13").content == oci::sha256_of(varied_bytes(5000, 13)));
  CHECK(entry_at(scanned, "empty").content == oci::sha256_of(""));
}

TEST_CASE("a listing gives what is known of a file, and asks for attributes where nobody has looked") {
  Tree tree;
  for (const char* name : {"plain", "odd", "unknown"}) {
    tree.file(name, "text");
    REQUIRE(::lsetxattr((tree.root / name).c_str(), "user.note", "1", 1, 0) == 0);
  }
  StatCache cache(tree.shop.path("cache"), tree.shop.path("lock"));
  const ScannedTree before = tree.scan();
  for (std::size_t i = 0; i < before.entries.size(); ++i) {
    const std::string& path = before.entries[i].path;
    if (path != "unknown") cache.remember(before.stamps[i], {oci::sha256_of("planted"), path == "plain"}, INT64_MAX);
  }
  ScanOptions options;
  options.known = &cache;
  const ScannedTree scanned = tree.scan(options);
  CHECK(entry_at(scanned, "plain").content == oci::sha256_of("planted"));
  CHECK(entry_at(scanned, "plain").xattrs.empty());
  CHECK(entry_at(scanned, "odd").content == oci::sha256_of("planted"));
  CHECK(entry_at(scanned, "odd").xattrs.size() == 1);
  CHECK(entry_at(scanned, "unknown").content.empty());
  CHECK(entry_at(scanned, "unknown").xattrs.size() == 1);
}

TEST_CASE("that a file has no attributes is remembered only where they were asked for, and new ones are seen") {
  Tree tree;
  tree.file("f", "text");
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));  // until its times tell it from what comes later
  const auto known_after = [&](const char* file, bool xattrs) {
    StatCache cache(tree.shop.path(file), tree.shop.path("lock"));
    ScanOptions options;
    options.xattrs = xattrs;
    ScannedTree scanned = tree.scan(options);
    hash_files(tree.root, scanned, &cache, tree.shop.pool);
    return cache.find(scanned.stamps[0]);
  };
  CHECK(known_after("one", false) == KnownFile{oci::sha256_of("text"), false});
  CHECK(known_after("two", true) == KnownFile{oci::sha256_of("text"), true});
  REQUIRE(::lsetxattr((tree.root / "f").c_str(), "user.note", "1", 1, 0) == 0);
  CHECK_FALSE(StatCache(tree.shop.path("two"), tree.shop.path("lock")).find(tree.scan().stamps[0]));
}

TEST_CASE("in a living tree a folder that may not be read is kept without what it holds") {
  if (::geteuid() == 0) {
    MESSAGE("skipped: root may read every folder");
    return;
  }
  Tree tree;
  tree.file("pub/a", "1");
  tree.file("secret/b", "2");
  tree.file("listed/c", "3");
  fs::permissions(tree.root / "secret", fs::perms::none);
  fs::permissions(tree.root / "listed", fs::perms::owner_read);
  CHECK(error_of([&] { tree.scan(); }).starts_with("machine: cannot read folder"));
  ScanOptions options;
  options.is_living = true;
  const ScannedTree scanned = tree.scan(options);
  CHECK(listed(scanned) == "d:listed d:pub f:pub/a d:secret ");
  REQUIRE(scanned.unreadable.size() == 2);
  CHECK(scanned.unreadable[0].path == "listed");
  CHECK(scanned.unreadable[1].path == "secret");
  CHECK(scanned.unreadable[1].error == EACCES);
  for (const char* name : {"secret", "listed"}) fs::permissions(tree.root / name, fs::perms::owner_all);
}

TEST_CASE("an upper folder becomes a layer's entries") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: whiteouts can be made by root only");
    return;
  }
  Tree tree;
  tree.file("etc/new", "1");
  tree.file("opt/z", "data");
  fs::create_hard_link(tree.root / "opt/z", tree.root / "opt/a");
  tree.folder("fresh");
  tree.folder("replaced");
  for (const char* name : {"gone", "etc/gone", "etc/never-was"}) {
    REQUIRE(::mknod((tree.root / name).c_str(), S_IFCHR, 0) == 0);
  }
  for (const char* name : {"fresh", "replaced"}) {
    REQUIRE(::setxattr((tree.root / name).c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
  }
  REQUIRE(::setxattr((tree.root / "etc/new").c_str(), "trusted.overlay.origin", "x", 1, 0) == 0);
  const MergedView lower({index_of({folder_of("etc"), file_of("etc/gone", "1"), file_of("gone", "2"),
                                    folder_of("replaced"), file_of("replaced/old", "3")})});
  ScannedTree scanned = scan_upper(tree.root, OverlayXattrs::trusted, lower, tree.shop.pool);
  CHECK(listed(scanned) == "d:etc w:etc/gone f:etc/new d:fresh w:gone d:opt f:opt/a h:opt/z d:replaced o:replaced ");
  CHECK(entry_at(scanned, "opt/z").link == "opt/a");
  CHECK(entry_at(scanned, "etc/gone") == entry_of("etc/gone", EntryType::whiteout));
  CHECK(entry_at(scanned, "etc/new").xattrs.empty());
  hash_files(tree.root, scanned, nullptr, tree.shop.pool);
  CHECK(entry_at(scanned, "opt/z").content == oci::sha256_of("data"));

  // And a writer takes them as they are.
  LayerWriter writer(tree.shop.store, tree.shop.pool, {});
  const Fd root = open_directory(tree.root);
  for (const FileEntry& entry : scanned.entries) {
    if (entry.type == EntryType::file) {
      writer.add(entry, open_scanned(root, entry.path), entry.path);
    } else {
      writer.add(entry);
    }
  }
  CHECK(writer.finish().unpacked_bytes > 0);
}

TEST_CASE(
    "files that a command left are refused by their sizes, before a byte of one is read, where they are too many") {
  Tree tree;
  const auto make_holes = [&](const char* path, std::uint64_t size) {
    tree.file(path, "");
    fs::resize_file(tree.root / path, size);
  };
  make_holes("a/1", std::uint64_t{100} << 30);
  make_holes("a/2", std::uint64_t{156} << 30);
  fs::create_hard_link(tree.root / "a/2", tree.root / "a/3");
  CHECK(scan_upper(tree.root, OverlayXattrs::user, MergedView(), tree.shop.pool).entries.size() == 4);
  make_holes("b", 1);
  CHECK_ERROR(scan_upper(tree.root, OverlayXattrs::user, MergedView(), tree.shop.pool), Category::build,
              "'/b' has 1 B, with which the files that the command left come to more than 256 GiB; remove it in the "
              "same RUN, or write it to a cache mount");
}
