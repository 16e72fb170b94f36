#include "builder/layer/layer_reader.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/xattr.h>

#include "base/file.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/merged_view.hpp"
#include "compressed.hpp"
#include "layer_fixture.hpp"
#include "registry/store/layer_facts.hpp"
#include "tar_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

struct Read {
  FileEntry entry;
  std::string data;
};

std::vector<Read> read_all(std::string_view tar, Whiteouts whiteouts = Whiteouts::ordinary, TarLimits limits = {}) {
  MemorySource source(tar);
  TarReader reader(source, "a tar", whiteouts, limits);
  std::vector<Read> result;
  while (const FileEntry* entry = reader.next()) {
    Read item{*entry, {}};
    char buffer[1000];
    while (const std::size_t count = reader.read(buffer, sizeof buffer)) item.data.append(buffer, count);
    result.push_back(std::move(item));
  }
  return result;
}

std::string refusal(std::string_view tar, Whiteouts whiteouts = Whiteouts::ordinary, TarLimits limits = {}) {
  return message_of([&] { read_all(tar, whiteouts, limits); });
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

oci::Descriptor put_tar(Workshop& shop, const std::string& tar) {
  return shop.store.put(tar, oci::media_type::kOciLayer);
}

// A folder with one of each kind of thing, made by other programs.
fs::path sample_tree(Workshop& shop) {
  const fs::path root = shop.path("tree");
  const std::string script =
      "set -e; mkdir -p '" + root.native() + "/d/e'; cd '" + root.native() +
      "'; printf hello > f; ln f d/hard; ln -s ../f d/soft; mkfifo d/pipe; printf x > $(printf 'caf\\351'); "
      "printf y > $(printf 'd/%0150d' 7); mkdir -p $(printf 'd/%0120d/%0120d' 1 2); printf z > $(printf "
      "'d/%0120d/%0120d/deep' 1 2); "
      "truncate -s 3M sparse; printf middle | dd of=sparse bs=1 seek=1000000 conv=notrunc status=none; printf end >> "
      "sparse; "
      "chown 70000:80000 f; chmod 4755 f; touch -d '2001-02-03 04:05:06.789Z' d/e";
  output_of({"sh", "-c", script});
  REQUIRE(::setxattr((root / "f").c_str(), "user.note", "a=b", 3, 0) == 0);
  return root;
}

}  // namespace

TEST_CASE("GNU tar's formats are read alike") {
  Workshop shop;
  const fs::path root = sample_tree(shop);
  for (const char* format : {"gnu", "oldgnu", "pax", "posix"}) {
    CAPTURE(format);
    std::vector<std::string> argv{
        "tar", "-C", root.native(), "--format", format, "--sort=name", "--numeric-owner", "-S", "-cf", "-"};
    const bool is_pax = std::string_view(format) == "pax" || std::string_view(format) == "posix";
    if (is_pax) argv.push_back("--xattrs");
    argv.push_back(".");
    std::map<std::string, Read> found;
    for (Read& item : read_all(output_of(argv))) found[item.entry.path] = item;
    CHECK(found.at("").entry.is_directory());
    CHECK(found.at("f").data == (found.at("f").entry.type == EntryType::file ? "hello" : ""));
    // Of the two names of a file the one that comes first has the data.
    const Read& data = found.at("d/hard");
    CHECK(data.entry.type == EntryType::file);
    CHECK(data.data == "hello");
    CHECK(data.entry.mode == 04755);
    CHECK(data.entry.uid == 70000);
    CHECK(data.entry.gid == 80000);
    CHECK(found.at("f").entry.link == "d/hard");
    if (is_pax) CHECK(data.entry.xattrs == Xattrs{{"user.note", "a=b"}});
    CHECK(found.at("d/soft").entry.link == "../f");
    CHECK(found.at("d/pipe").entry.type == EntryType::fifo);
    CHECK(found.at("caf\xe9").data == "x");
    CHECK(found.at("d/" + std::string(149, '0') + "7").data == "y");
    CHECK(found.at("d/" + std::string(119, '0') + "1/" + std::string(119, '0') + "2/deep").data == "z");
    CHECK(found.at("d/e").entry.mtime == 981173106);
    const std::string& sparse = found.at("sparse").data;
    CHECK(sparse.size() == (3 << 20) + 3);
    CHECK(sparse.substr(1000000, 6) == "middle");
    CHECK(sparse.ends_with("end"));
    CHECK(std::count(sparse.begin(), sparse.end(), '\0') == (3 << 20) - 6);
  }
}

TEST_CASE("all versions of pax's sparse files are read") {
  Workshop shop;
  const fs::path root = sample_tree(shop);
  for (const char* version : {"0.0", "0.1", "1.0"}) {
    CAPTURE(version);
    const std::string tar = output_of({"tar", "-C", root.native(), "--format=pax", "-S",
                                       std::string("--sparse-version=") + version, "-cf", "-", "sparse"});
    CHECK(tar.size() < 200000);
    const auto found = read_all(tar);
    REQUIRE(found.size() == 1);
    CHECK(found[0].entry.path == "sparse");
    CHECK(found[0].data == read_file(root / "sparse"));
  }
}

TEST_CASE("v7 and ustar archives are read") {
  Workshop shop;
  const fs::path root = shop.path("small");
  fs::create_directories(root / "sub");
  write_file_atomically(root / "sub/f", "text");
  const std::string deep(60, 'p');
  fs::create_directories(root / deep);
  write_file_atomically(root / deep / std::string(70, 'q'), "prefix");
  for (const char* format : {"v7", "ustar"}) {
    const auto found = read_all(output_of({"tar", "-C", root.native(), "--format", format, "-cf", "-", "sub"}));
    REQUIRE(found.size() == 2);
    CHECK(found[0].entry.is_directory());
    CHECK(found[0].entry.path == "sub");
    CHECK(found[1].data == "text");
  }
  const auto found = read_all(output_of({"tar", "-C", root.native(), "--format=ustar", "-cf", "-", deep}));
  REQUIRE(found.size() == 2);
  CHECK(found[1].entry.path == deep + "/" + std::string(70, 'q'));
}

TEST_CASE("big numbers, fractions of seconds and times before 1970 are read") {
  RawTar tar;
  tar.pax("mtime", "-1.5").pax("uid", "4000000000").file("a", "1");
  const std::size_t at = tar.size();
  tar.file("b", "2");
  std::string base256("\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00", 12);
  tar.patch(at, 136, base256);
  const auto found = read_all(tar.str());
  CHECK(found[0].entry.mtime == -2);
  CHECK(found[0].entry.uid == 4000000000u);
  CHECK(found[1].entry.mtime == 4294967296);
  const auto beyond = read_all(RawTar().pax("mtime", "1152921504606846976").file("c", "3").str());
  CHECK(beyond[0].entry.mtime == std::int64_t{1} << 54);
}

TEST_CASE("global pax records hold until they are overridden") {
  RawTar tar;
  const std::string global = "12 uid=1234\n";
  tar.add('g', "pax_global_header", global).file("a", "1").pax("uid", "5").file("b", "2").file("c", "3");
  const auto found = read_all(tar.str());
  CHECK(found[0].entry.uid == 1234);
  CHECK(found[1].entry.uid == 5);
  CHECK(found[2].entry.uid == 1234);
}

TEST_CASE("whiteouts are recognised in layers and nowhere else") {
  const std::string tar = RawTar()
                              .folder("a/")
                              .file("a/.wh..wh..opq", "")
                              .file("a/.wh.b", "")
                              .file(".wh..wh.aufs", "")
                              .device("c", "0000000", "0000000")
                              .str();
  const auto layer = read_all(tar, Whiteouts::recognise);
  REQUIRE(layer.size() == 4);
  CHECK(layer[1].entry == entry_of("a", EntryType::opaque));
  CHECK(layer[2].entry == entry_of("a/b", EntryType::whiteout));
  CHECK(layer[3].entry == entry_of("c", EntryType::whiteout));
  const auto plain = read_all(tar);
  REQUIRE(plain.size() == 5);
  CHECK(plain[2].entry.path == "a/.wh.b");
  CHECK(contains(refusal(RawTar().file("a/.wh.", "").str(), Whiteouts::recognise), "whiteout of nothing"));
  CHECK(contains(refusal(RawTar().file(".wh...", "").str(), Whiteouts::recognise), "whiteout of nothing"));
}

TEST_CASE("names that lead out of a layer are refused, stay inside of an archive, and absolute ones become relative") {
  CHECK(contains(refusal(RawTar().file("../x", "1").str(), Whiteouts::recognise), "leads out of its folder"));
  CHECK(contains(refusal(RawTar().file("a/../../x", "1").str(), Whiteouts::recognise), "leads out of its folder"));
  CHECK(contains(refusal(RawTar().file("f", "1").hardlink("b", "../../etc/passwd").str(), Whiteouts::recognise),
                 "leads out of its folder"));
  const auto archive = read_all(RawTar().file("../x", "1").file("a/../b", "2").hardlink("c", "../../x").str());
  REQUIRE(archive.size() == 3);
  CHECK(archive[0].entry.path == "x");
  CHECK(archive[1].entry.path == "b");
  CHECK(archive[2].entry.link == "x");
  CHECK(contains(refusal(RawTar().pax("path", std::string("a\0b", 3)).file("x", "1").str()), "NUL"));
  CHECK(contains(refusal(RawTar().pax("linkpath", std::string("a\0b", 3)).symlink("x", "y").str()), "bad link"));
  CHECK(contains(refusal(RawTar().file("/.", "1").str()), "is the root but no folder"));
  CHECK(read_all(RawTar().file("/etc/passwd", "1").str())[0].entry.path == "etc/passwd");
}

TEST_CASE("links of the tar itself are followed in parents' names, inside the root") {
  const auto path_after = [](const char* target, const char* name) {
    return read_all(RawTar().symlink("link", target).file(name, "1").str()).at(1).entry.path;
  };
  CHECK(path_after("usr/lib", "link/x") == "usr/lib/x");
  CHECK(path_after("/etc", "link/x") == "etc/x");
  CHECK(path_after("../../../etc", "link/x") == "etc/x");
  CHECK(path_after("usr", "link") == "link");
  CHECK(contains(refusal(RawTar().symlink("a", "b").symlink("b", "a").file("a/x", "1").str()), "loop of links"));
  // A folder that took the link's place ends it.
  CHECK(read_all(RawTar().symlink("a", "b").folder("a/").file("a/x", "1").str()).at(2).entry.path == "a/x");
}

TEST_CASE("a hard link to what lies below it is refused, before it takes away that folder") {
  const std::string tar = RawTar().folder("d").file("d/f", "1").hardlink("d", "d/f").str();
  for (const Whiteouts whiteouts : {Whiteouts::ordinary, Whiteouts::recognise}) {
    CAPTURE(static_cast<int>(whiteouts));
    CHECK_ERROR(read_all(tar, whiteouts), Category::build,
                doctest::Contains("the hard link 'd' to 'd/f', which lies below it"));
  }
  // However the two names are spelt.
  CHECK(contains(refusal(RawTar().folder("d").file("d/e/f", "1").hardlink("./d/", "/d/e/../e/f").str()),
                 "the hard link 'd' to 'd/e/f', which lies below it"));
  // One to itself says so, and a name that only begins alike lies beside.
  CHECK_ERROR(read_all(RawTar().file("d", "1").hardlink("d", "d").str()), Category::build,
              doctest::Contains("entry 'd' is a hard link to what cannot be its file"));
  const auto beside = read_all(RawTar().file("d.txt", "1").hardlink("d", "d.txt").str());
  REQUIRE(beside.size() == 2);
  CHECK(beside[1].entry.link == "d.txt");
}

TEST_CASE("damaged, cut and impossible headers are refused") {
  const std::string good = RawTar().file("a", std::string(2000, 'x')).file("b", "y").str();
  CHECK(read_all(good).size() == 2);
  CHECK(contains(refusal(good.substr(0, 300)), "cut"));
  CHECK(contains(refusal(good.substr(0, 1500)), "cut"));
  CHECK(contains(refusal(good.substr(0, 512 + 2048 + 300)), "cut"));
  std::string flipped = good;
  flipped[3] = 'q';
  CHECK(contains(refusal(flipped), "damaged header"));
  CHECK(contains(refusal(std::string(1024, 'x')), "damaged header"));
  CHECK(contains(refusal(RawTar().add('0', "a", "", "", "77777777777").str()), "cut"));
  CHECK(contains(refusal(RawTar().add('0', "a", "", "", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").str()),
                 "negative size"));
  CHECK(contains(refusal(RawTar().add('0', "a", "", "", "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").str()),
                 "damaged header"));
  CHECK(contains(refusal(RawTar().add('Q', "a").str()), "unknown type 'Q'"));
  CHECK(contains(refusal(RawTar().add('x', "p", "99 path=a\n").file("a", "").str()), "damaged pax header"));
  CHECK(contains(refusal(RawTar().add('x', "p", "7 ab=\n").file("a", "").str()), "damaged pax header"));
  CHECK(contains(refusal(RawTar().pax("size", "-1").file("a", "").str()), "damaged size"));
  CHECK(contains(refusal(RawTar().symlink("a", "").str()), "link to nothing"));
  CHECK(read_all("").empty());
  CHECK(read_all(RawTar().file("a", "1").without_end()).size() == 1);
}

TEST_CASE("sparse maps that cannot be are refused") {
  const auto with_map = [](const char* map, const char* size, std::string_view data) {
    RawTar tar;
    std::string records;
    for (const std::string& text : {std::string("GNU.sparse.map=") + map, std::string("GNU.sparse.size=") + size}) {
      std::size_t length = text.size() + 4;
      if (std::to_string(length).size() + text.size() + 2 != length)
        length = std::to_string(length).size() + text.size() + 2;
      records += std::to_string(length) + " " + text + "\n";
    }
    return tar.add('x', "p", records).file("a", data).str();
  };
  CHECK(read_all(with_map("1,2,5,1", "10", "abc")).at(0).data == std::string("\0ab\0\0c\0\0\0\0", 10));
  CHECK(contains(refusal(with_map("5,1,1,2", "10", "abc")), "sparse map"));
  CHECK(contains(refusal(with_map("1,2,5,9", "10", "abc")), "sparse map"));
  CHECK(contains(refusal(with_map("1,2", "10", "abc")), "sparse map"));
  CHECK(contains(refusal(with_map("1,2,5", "10", "abc")), "sparse map"));
  CHECK(contains(refusal(with_map("18446744073709551615,2", "10", "ab")), "sparse map"));
}

TEST_CASE("limits hold") {
  const std::string tar = RawTar().file("a", "123456").file("b", "123456").str();
  CHECK(contains(refusal(tar, Whiteouts::ordinary, {.max_entries = 1}), "more than 1 entries"));
  CHECK(contains(refusal(tar, Whiteouts::ordinary, {.max_file_bytes = 5}), "more than 5"));
  CHECK(contains(refusal(tar, Whiteouts::ordinary, {.max_total_bytes = 10}), "more than 10 bytes"));
  const std::string long_name = RawTar().add('L', "././@LongLink", std::string(3000, 'n')).file("x", "").str();
  CHECK(contains(refusal(long_name, Whiteouts::ordinary, {.max_header_bytes = 2000}), "more than 2000"));
  const std::string xattr = RawTar().pax("SCHILY.xattr.user.k", std::string(100, 'v')).file("x", "").str();
  CHECK(contains(refusal(xattr, Whiteouts::ordinary, {.max_xattr_bytes = 50}), "too large"));
  const TarLimits usual;
  CHECK(usual.max_entries == 5'000'000);
  CHECK(usual.max_file_bytes == std::uint64_t{1} << 40);
  CHECK(usual.max_total_bytes == std::uint64_t{2} << 40);
  CHECK(usual.max_header_bytes == 1 << 20);
  CHECK(usual.max_xattr_bytes == 64 << 10);
  CHECK(usual.max_path_bytes == 512 << 20);
  CHECK(usual.max_unnamed_folder_bytes == 64 << 20);
  CHECK(usual.max_property_bytes == 128 << 20);
  CHECK(usual.max_global_header_bytes == 1 << 20);
  CHECK(usual.max_link_steps == 20'000'000);
}

TEST_CASE("link targets and attributes are counted over the whole tar, those of a global header for each entry") {
  const auto refused = [](const RawTar& tar, std::uint64_t properties) {
    return refusal(tar.str(), Whiteouts::ordinary, {.max_property_bytes = properties});
  };
  RawTar tar;  // two times "user.k" and three bytes, and a target of four
  tar.add('g', "g", "27 SCHILY.xattr.user.k=vvv\n").file("a", "").symlink("l", "a/bc").file("b", "");
  CHECK(refused(tar, 31) == "no error");
  CHECK(contains(refused(tar, 30), "'a tar': link targets and extended attributes of more than 30 bytes together"));
  RawTar global;
  for (int i = 0; i < 3; ++i) global.add('g', "g", "13 comment=x\n").file("a", "");
  CHECK(refusal(global.str(), Whiteouts::ordinary, {.max_global_header_bytes = 39}) == "no error");
  CHECK(contains(refusal(global.str(), Whiteouts::ordinary, {.max_global_header_bytes = 38}),
                 "global headers of more than 38 bytes together"));
}

TEST_CASE("the ways that names take behind links are counted over the whole tar") {
  RawTar tar;
  tar.folder("a/").symlink("l0", "a/../a/../a").symlink("l1", "l0").file("l1/f", "").file("a/g", "");
  // Behind l1 there are l0, three components of its target, and the name.
  CHECK(refusal(tar.str(), Whiteouts::ordinary, {.max_link_steps = 5}) == "no error");
  CHECK(contains(refusal(tar.str(), Whiteouts::ordinary, {.max_link_steps = 4}),
                 "names that lead through links by more than 4 steps"));
  std::string way = "/";
  while (way.size() < 4000) way += "a/../";
  RawTar rings;
  for (int i = 0; i < 38; ++i)
    rings.add('K', "k", way + "l" + std::to_string(i + 1)).symlink("l" + std::to_string(i), "");
  for (int i = 0; i < 2000; ++i) rings.file("l0/f", "");
  CHECK(contains(refusal(rings.str()), "names that lead through links by more than 20000000 steps"));
}

TEST_CASE("paths are counted over the whole tar, with those of folders that no entry names") {
  const auto refused = [](const RawTar& tar, std::uint64_t paths, std::uint64_t unnamed) {
    return refusal(tar.str(), Whiteouts::ordinary, {.max_path_bytes = paths, .max_unnamed_folder_bytes = unnamed});
  };
  RawTar named;  // a, a/b, a/b/c and a/b/c/1: 16 bytes
  named.folder("a/").folder("a/b/").folder("a/b/c/").file("a/b/c/1", "");
  CHECK(refused(named, 16, 0) == "no error");
  CHECK(contains(refused(named, 15, 0), "'a tar': paths of more than 15 bytes together"));
  RawTar unnamed;  // the folders are a, a/b and a/b/c: 9 bytes
  unnamed.file("a/b/c/1", "").file("a/b/2", "").file("a/b/c/3", "").folder("a/b/");
  CHECK(refused(unnamed, 1000, 9) == "no error");
  CHECK(
      contains(refused(unnamed, 1000, 8), "folders that no entry names, whose paths have more than 8 bytes together"));
  CHECK(refused(unnamed, 31, 9) == "no error");
  CHECK(contains(refused(unnamed, 30, 9), "paths of more than 30 bytes together"));
}

TEST_CASE("a small tar that leads through very many folders is refused soon") {
  std::string deep;
  while (deep.size() < 3000) deep += "/d";
  RawTar tar;
  for (int i = 0; i < 40; ++i) tar.pax("path", fmt::format("{}{}/f", i, deep)).file("f", "");
  CHECK(contains(refusal(tar.str()), "folders that no entry names, whose paths have more than 67108864 bytes"));
}

TEST_CASE("holes of sparse files are counted over the whole tar, and refused before they are read") {
  const auto refused = [](std::initializer_list<const char*> sizes) {
    RawTar tar;
    for (const char* size : sizes) tar.pax("GNU.sparse.map", "0,1").pax("GNU.sparse.size", size).file("a", "x");
    const std::string bytes = tar.str();
    MemorySource source(bytes);
    TarReader reader(source, "a tar", Whiteouts::ordinary);
    return message_of([&] {
      while (reader.next() != nullptr) {
      }
    });
  };
  CHECK(refused({"68719476737"}) == "no error");
  CHECK(contains(refused({"68719476738"}), "sparse files with holes of more than 68719476736 bytes"));
  CHECK(refused({"34359738369", "34359738369"}) == "no error");
  CHECK(contains(refused({"34359738369", "34359738370"}), "holes of more than 68719476736 bytes"));
  CHECK(contains(refused({"549755813888"}), "holes of more than 68719476736 bytes"));
}

TEST_CASE("overlayfs's own attributes are dropped, and libarchive's spelling is read") {
  const auto found = read_all(RawTar()
                                  .pax("SCHILY.xattr.trusted.overlay.redirect", "/etc")
                                  .file("a", "")
                                  .pax("LIBARCHIVE.xattr.user.a%20b", "aGVsbG8")
                                  .file("b", "")
                                  .str());
  CHECK(found[0].entry.xattrs.empty());
  CHECK(found[1].entry.xattrs == Xattrs{{"user.a b", "hello"}});
}

TEST_CASE("a file's extents say where its data lies in the tar") {
  const std::string tar = RawTar().folder("d/").file("d/a", "0123456789").str();
  MemorySource source(tar);
  TarReader reader(source, "t", Whiteouts::ordinary);
  reader.next();
  CHECK(reader.extents().empty());
  reader.next();
  REQUIRE(reader.extents().size() == 1);
  CHECK(tar.substr(reader.extents()[0].tar_offset, reader.extents()[0].bytes) == "0123456789");
}

TEST_CASE("a foreign layer is indexed and verified") {
  Workshop shop;
  const std::string tar = RawTar()
                              .folder("./")
                              .folder("./etc/")
                              .file("./etc/passwd", "root:x:0:0\n")
                              .file("./etc/passwd", "app:x:1:1\n")
                              .hardlink("etc/p2", "etc/passwd")
                              .hardlink("lower", "usr/bin/tool")
                              .file("etc/.wh.gone", "")
                              .str();
  for (const char* kind : {"gzip", "zstd", "none"}) {
    CAPTURE(kind);
    TempDir dir;
    ContentStore store(HomeLayout::open(dir.path() / "home"));
    const oci::Descriptor blob =
        store.put(compressed(tar, Compression::parse(kind)), Compression::parse(kind).media_type());
    const IndexedLayer indexed = index_layer(store, shop.pool, blob, std::nullopt);
    CHECK(indexed.diff_id == oci::sha256_of(tar));
    CHECK(indexed.unpacked_bytes == tar.size());
    CHECK(blob_info(store, blob.digest)->diff_id == indexed.diff_id);
    const auto index = IndexCache(store).find(indexed.diff_id);
    REQUIRE(index);
    CHECK(*index->kept_file("etc/passwd") == "app:x:1:1\n");
    CHECK(index->find("etc/p2")->content == oci::sha256_of("app:x:1:1\n"));
    CHECK(index->find("lower")->content.empty());
    CHECK(index->find("etc/gone")->type == EntryType::whiteout);
    CHECK(index->find("")->is_directory());
    CHECK(index_layer(store, shop.pool, blob, indexed.diff_id).index == indexed.index);
    CHECK_ERROR(index_layer(store, shop.pool, blob, oci::sha256_of("another")), Category::network,
                doctest::Contains("expected diff ID '"));
  }
}

TEST_CASE("a config that claims another diff ID, and a damaged blob, are found out") {
  Workshop shop;
  const oci::Descriptor blob = put_tar(shop, RawTar().file("a", "1").str());
  const std::string message = message_of([&] { index_layer(shop.store, shop.pool, blob, oci::sha256_of("claimed")); });
  CHECK(contains(message, oci::sha256_of("claimed").str()));
  CHECK(contains(message, blob.digest.str()));
  CHECK_FALSE(blob_info(shop.store, blob.digest));

  const oci::Descriptor other = put_tar(shop, RawTar().file("a", "2").str());
  const fs::path path = shop.store.path_of(other.digest);
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  std::string bytes = read_file(path);
  bytes[512] = '3';
  write_file_atomically(path, bytes);
  CHECK_ERROR(index_layer(shop.store, shop.pool, other, std::nullopt), Category::machine,
              doctest::Contains("is damaged"));
  CHECK_FALSE(blob_info(shop.store, other.digest));
}
