#include "builder/layer/tar_import.hpp"

#include <doctest/doctest.h>

#include "base/file.hpp"
#include "layer_fixture.hpp"
#include "tar_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

TarImport import_of(Workshop& shop, const std::string& tar, Whiteouts whiteouts = Whiteouts::ordinary) {
  MemorySource source(tar);
  return TarImport(spool_to_file(source, shop.dir.path(), 1 << 30, "archive.tar"), "archive.tar", {whiteouts});
}

std::string listed(const TarImport& import) {
  std::string text;
  for (const FileEntry& entry : import.entries()) {
    text += to_letter(entry.type);
    text += ":" + entry.path + (entry.link.empty() ? "" : ">" + entry.link) + " ";
  }
  return text;
}

}  // namespace

TEST_CASE("an archive's entries come in order, and their data in any") {
  Workshop shop;
  const TarImport import =
      import_of(shop, RawTar().file("z", "last").folder("a/").file("a/x", "first").file("z", "replaced").str());
  CHECK(listed(import) == "d:a f:a/x f:z ");
  CHECK(read_to_end(*import.open(2), 100, "z") == "replaced");
  CHECK(read_to_end(*import.open(1), 100, "x") == "first");
  CHECK(import.entries()[1].content == oci::sha256_of("first"));
}

TEST_CASE("the first name of a file in order has the data, wherever the archive had it") {
  Workshop shop;
  const TarImport import = import_of(
      shop,
      RawTar().file("m", "data").hardlink("a", "m").hardlink("z", "a").symlink("s", "m").hardlink("t", "s").str());
  CHECK(listed(import) == "f:a h:m>a l:s>m l:t>m h:z>a ");
  CHECK(read_to_end(*import.open(0), 100, "a") == "data");
}

TEST_CASE("all names of a file have the owner, mode and time of the header that spoke of it last") {
  Workshop shop;
  const TarImport import = import_of(shop, RawTar()
                                               .header("0000644", "0000001", "0000001", "00000000001")
                                               .file("a", "data")
                                               .header("0000600", "0000002", "0000002", "00000000002")
                                               .hardlink("b", "a")
                                               .header("0004755", "0000003", "0000004", "00000000005")
                                               .hardlink("c", "b")
                                               .header("0000640", "0000006", "0000006", "00000000006")
                                               .file("b", "another")
                                               .str());
  CHECK(listed(import) == "f:a f:b f:c ");
  for (const std::size_t number : {0, 2}) {
    const FileEntry& entry = import.entries()[number];
    CHECK(entry.mode == 04755);
    CHECK(entry.uid == 3);
    CHECK(entry.gid == 4);
    CHECK(entry.mtime == 5);
  }
  CHECK(import.entries()[1].mode == 0640);
  CHECK(import.entries()[1].uid == 6);
}

TEST_CASE("a link to a symbolic link sets its owner alone") {
  Workshop shop;
  const TarImport import = import_of(shop, RawTar()
                                               .header("0000777", "0000001", "0000001", "00000000001")
                                               .symlink("s", "a")
                                               .header("0000600", "0000002", "0000003", "00000000004")
                                               .hardlink("t", "s")
                                               .str());
  CHECK(listed(import) == "l:s>a l:t>a ");
  for (const FileEntry& entry : import.entries()) {
    CHECK(entry.mode == 0777);
    CHECK(entry.uid == 2);
    CHECK(entry.gid == 3);
    CHECK(entry.mtime == 1);
  }
}

TEST_CASE("a link to a file that is not in the archive is refused") {
  Workshop shop;
  CHECK_ERROR(import_of(shop, RawTar().hardlink("a", "missing").str()), Category::build,
              "'archive.tar': 'a' is a hard link to 'missing', which is no file before it in the archive");
  CHECK_ERROR(import_of(shop, RawTar().hardlink("a", "b").file("b", "1").str()), Category::build,
              "'archive.tar': 'a' is a hard link to 'b', which is no file before it in the archive");
}

TEST_CASE(
    "links that lead out of an archive are kept where the caller wants them, and the archive's own stay its own") {
  Workshop shop;
  const std::string tar =
      RawTar().hardlink("a", "old").file("old", "new").hardlink("b", "a").hardlink("c", "old").file("d", "1").str();
  MemorySource source(tar);
  const TarImport import(spool_to_file(source, shop.dir.path(), 1 << 30, "archive.tar"), "archive.tar",
                         {Whiteouts::ordinary, {}, TarImport::OutwardLinks::keep});
  CHECK(listed(import) == "h:a>old h:b>old f:c f:d h:old>c ");
  std::string outward;
  for (const FileEntry& entry : import.entries()) {
    if (TarImport::leads_out(entry)) outward += entry.path + " ";
  }
  CHECK(outward == "a b ");
}

TEST_CASE("names that look like whiteouts are ordinary in an archive") {
  Workshop shop;
  CHECK(listed(import_of(shop, RawTar().file(".wh.a", "1").str())) == "f:.wh.a ");
  CHECK(listed(import_of(shop, RawTar().file(".wh.a", "1").str(), Whiteouts::recognise)) == "w:a ");
}

TEST_CASE("an import becomes a layer with other names and owners") {
  Workshop shop;
  const TarImport import = import_of(shop, RawTar().file("b", "bee").file("a", "ay").hardlink("c", "b").str());
  LayerWriter writer(shop.store, shop.pool, {});
  writer.add(folder_of("srv"));
  for (std::size_t i = 0; i < import.entries().size(); ++i) {
    FileEntry entry = import.entries()[i];
    entry.path = join_path("srv", entry.path);
    if (entry.type == EntryType::hardlink) entry.link = join_path("srv", entry.link);
    entry.uid = 1000;
    import.add_to(writer, i, entry);
  }
  const auto index = IndexCache(shop.store).find(writer.finish().diff_id);
  CHECK(index->find("srv/a")->uid == 1000);
  CHECK(index->find("srv/c")->type == EntryType::hardlink);
  CHECK(index->find("srv/c")->content == oci::sha256_of("bee"));
}

TEST_CASE("sparse files are read with their holes") {
  Workshop shop;
  output_of({"sh", "-c", "cd '" + shop.dir.path().native() + "' && truncate -s 1M s && printf x >> s"});
  const std::string tar = output_of({"tar", "-C", shop.dir.path().native(), "-S", "--format=pax", "-cf", "-", "s"});
  const TarImport import = import_of(shop, tar);
  CHECK(read_to_end(*import.open(0), 1 << 21, "s") == std::string(1 << 20, '\0') + "x");
}

TEST_CASE("spooling stops at its limit") {
  Workshop shop;
  MemorySource source("0123456789");
  CHECK_ERROR(spool_to_file(source, shop.dir.path(), 9, "archive"), Category::build,
              "'archive' is larger than 9 bytes");
}
