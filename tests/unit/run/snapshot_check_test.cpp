#include "builder/run/snapshot_check.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"

using namespace kiln;

namespace {

constexpr UnixSeconds kLayerTime = 1'000'000'000;

FileEntry entry_of(std::string path, EntryType type) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = type == EntryType::directory ? 0755 : 0644;
  entry.mtime = kLayerTime;
  return entry;
}

// An unpacked layer: etc/, etc/hosts and a link to it.
struct Unpacked {
  TempDir top;
  ThreadPool pool{2};
  std::vector<FileEntry> entries;
  std::timespec made{};

  Unpacked() {
    fs::create_directory(top.path() / "etc");
    write_file_atomically(top.path() / "etc/hosts", "127.0.0.1\n");
    fs::create_symlink("hosts", top.path() / "etc/link");
    fs::permissions(top.path() / "etc", fs::perms{0755});
    fs::permissions(top.path() / "etc/hosts", fs::perms{0644});
    FileEntry hosts = entry_of("etc/hosts", EntryType::file);
    hosts.size = 10;
    hosts.content = oci::sha256_of("127.0.0.1\n");
    FileEntry link = entry_of("etc/link", EntryType::symlink);
    link.mode = 0777;
    link.link = "hosts";
    entries = {entry_of("etc", EntryType::directory), hosts, link};
    set_time("etc/hosts", kLayerTime);
    set_time("etc", kLayerTime);
    made.tv_sec = kLayerTime + 100;
  }

  void set_time(const std::string& path, UnixSeconds seconds) {
    const std::timespec times[2] = {{seconds, 0}, {seconds, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (top.path() / path).c_str(), times, 0) == 0);
  }
  std::string difference() {
    FileIndex::Parts parts;
    parts.diff_id = oci::sha256_of("layer");
    parts.entries = entries;
    return snapshot_difference(top.path(), FileIndex(std::move(parts)), made, pool, CancelToken());
  }
};

}  // namespace

TEST_CASE("a layer that is as its index says has no difference") {
  Unpacked layer;
  CHECK(layer.difference().empty());
  layer.set_time("etc/hosts", kLayerTime + 50);  // as a command left it whose layer has another time
  CHECK(layer.difference().empty());
}

TEST_CASE("what stat tells of damage is named") {
  Unpacked layer;
  const fs::path hosts = layer.top.path() / "etc/hosts";
  SUBCASE("a file that is gone") {
    fs::remove(hosts);
    layer.set_time("etc", kLayerTime);
    CHECK(layer.difference() == "'/etc/hosts' is not there");
  }
  SUBCASE("a file that was cut") {
    fs::resize_file(hosts, 3);
    CHECK(layer.difference() == "'/etc/hosts' has 3 bytes, expected 10");
  }
  SUBCASE("a file that is a folder now") {
    fs::remove(hosts);
    fs::create_directory(hosts);
    layer.set_time("etc", kLayerTime);
    CHECK(layer.difference() == "'/etc/hosts' is of another type");
  }
  SUBCASE("another mode") {
    fs::permissions(hosts, fs::perms{0600});
    CHECK(layer.difference() == "'/etc/hosts' has mode 600, expected 644");
  }
  SUBCASE("a link that leads elsewhere") {
    fs::remove(layer.top.path() / "etc/link");
    fs::create_symlink("/etc/shadow", layer.top.path() / "etc/link");
    layer.set_time("etc", kLayerTime);
    CHECK(layer.difference() == "'/etc/link' leads to '/etc/shadow', expected 'hosts'");
  }
  SUBCASE("contents of the same size that were written since") {
    layer.set_time("etc/hosts", kLayerTime + 101);
    CHECK(layer.difference() == "'/etc/hosts' was written after it was unpacked");
  }
  SUBCASE("a name that was added") {
    write_file_atomically(layer.top.path() / "etc/added", "x");
    CHECK(layer.difference() == "'/etc' was written after it was unpacked");
  }
}
