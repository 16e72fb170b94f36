#include "builder/debian/package_store.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "builder/debian/resolver.hpp"
#include "local_archive.hpp"
#include "registry/oci/digest.hpp"
#include "test_log.hpp"

using namespace kiln;

namespace {

LockedPackage package_of(std::string_view bytes) {
  return {"x", "1", "all", bytes.size(), std::string(oci::sha256_of(bytes).hex()), "debian/pool/x.deb"};
}

}  // namespace

TEST_CASE("only the locked bytes are adopted") {
  const TempDir folder;
  const PackageStore store(folder.path() / "debs");
  const LockedPackage package = package_of("hello");
  const fs::path file = folder.path() / "file";
  for (const char* wrong : {"hellO", "hello!", "hell", ""}) {
    write_file_atomically(file, wrong);
    CHECK(!store.adopt(package, file));
    CHECK(!store.has(package));
  }
  CHECK(fs::is_empty(store.directory()));
  write_file_atomically(file, "hello");
  CHECK(store.adopt(package, file));
  CHECK(store.has(package));
  CHECK(store.verify(package));
  CHECK(read_file(store.path_of(package)) == "hello");
}

TEST_CASE("a damaged package is found by verify and removed") {
  const TempDir folder;
  const PackageStore store(folder.path());
  const LockedPackage package = package_of("hello");
  CHECK(!store.verify(package));
  write_file_atomically(store.path_of(package), "hullo");
  CHECK(store.has(package));
  CHECK(!store.verify(package));
  CHECK(!store.has(package));
}

TEST_CASE("packages are fetched once, and what the mirror replaced is named") {
  if (const std::string missing = LocalArchive::missing_programs(); !missing.empty()) {
    MESSAGE("skipped: needs" << missing);
    return;
  }
  LocalArchive archive;
  archive.add("core", "1:2.0~rc1+b1", "Essential: yes\n");
  archive.add("app", "3", "Depends: core\n");
  archive.publish();
  const TempDir work;
  TestLog log;
  DebianSpec spec = archive.spec();
  spec.include = {"app"};
  const DebianLock lock = resolve(spec, archive.archives(), work.path(), log, CancelToken());

  const PackageStore store(work.path() / "debs");
  const PackageFetch first = store.fetch(lock, archive.archives(), work.path(), log, CancelToken());
  CHECK(first.unavailable.empty());
  CHECK(first.downloaded_bytes == lock.packages[0].size_bytes + lock.packages[1].size_bytes);
  for (const LockedPackage& package : lock.packages) CHECK(store.verify(package));
  const PackageFetch second = store.fetch(lock, archive.archives(), work.path(), log, CancelToken());
  CHECK(second.kept_bytes == first.downloaded_bytes);
  CHECK(second.downloaded_bytes == 0);

  SUBCASE("a locked version that is gone from mirror and store") {
    archive.add("app", "4", "Depends: core\n");
    archive.publish();
    CHECK(store.fetch(lock, archive.archives(), work.path(), log, CancelToken()).unavailable.empty());
    const PackageStore fresh(work.path() / "fresh");
    const PackageFetch partly = fresh.fetch(lock, archive.archives(), work.path(), log, CancelToken());
    REQUIRE(partly.unavailable.size() == 1);
    CHECK(partly.unavailable[0].name == "app");
    CHECK(partly.downloaded_bytes == lock.packages[1].size_bytes);
    const DebianLock moved = resolve(spec, archive.archives(), work.path(), log, CancelToken());
    CHECK(describe_changes(lock, moved) == std::vector<std::string>{"app 3 -> 4"});
  }
  SUBCASE("other bytes under the locked name") {
    const PackageStore fresh(work.path() / "fresh");
    write_file_atomically(archive.debian() / "pool/main/app/app_3_all.deb",
                          std::string(lock.packages[0].size_bytes, 'x'));
    const PackageFetch partly = fresh.fetch(lock, archive.archives(), work.path(), log, CancelToken());
    REQUIRE(partly.unavailable.size() == 1);
    CHECK(!fresh.has(lock.packages[0]));
  }
  SUBCASE("a mirror that does not answer is an error, not a package that is gone") {
    const PackageStore fresh(work.path() / "fresh");
    DebianArchives away = archive.archives();
    away.debian = "http://127.0.0.1:1/debian";
    try {
      fresh.fetch(lock, away, work.path(), log, CancelToken());
      FAIL("fetched");
    } catch (const Error& error) {
      CHECK(error.category() == Category::network);
      CHECK(error.detail().find("127.0.0.1") != std::string::npos);
    }
  }
  SUBCASE("two at once share one store") {
    const PackageStore fresh(work.path() / "fresh");
    std::thread other([&] {
      TestLog other_log;
      const PackageStore same(work.path() / "fresh");
      same.fetch(lock, archive.archives(), work.path(), other_log, CancelToken());
    });
    fresh.fetch(lock, archive.archives(), work.path(), log, CancelToken());
    other.join();
    for (const LockedPackage& package : lock.packages) CHECK(fresh.verify(package));
  }
  for (const auto& file : fs::directory_iterator(store.directory())) CHECK(file.path().extension() == ".deb");
}
