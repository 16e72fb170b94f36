#include "builder/debian/resolver.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "builder/debian/package_store.hpp"
#include "local_archive.hpp"
#include "test_log.hpp"

using namespace kiln;

#define SKIP_WITHOUT_ARCHIVE()                                                          \
  if (const std::string missing = LocalArchive::missing_programs(); !missing.empty()) { \
    MESSAGE("skipped: needs" << missing);                                               \
    return;                                                                             \
  }

namespace {

std::vector<std::string> names(const DebianLock& lock) {
  std::vector<std::string> result;
  for (const LockedPackage& package : lock.packages) result.push_back(package.name);
  return result;
}

struct Fixture {
  LocalArchive archive;
  TempDir work;
  TestLog log;

  DebianLock resolve(std::vector<std::string> include, const std::string& variant = "essential") {
    DebianSpec spec = archive.spec();
    spec.include = std::move(include);
    spec.variant = variant;
    return kiln::resolve(spec, archive.archives(), work.path(), log, CancelToken());
  }
  Error failure(std::vector<std::string> include) {
    try {
      resolve(std::move(include));
    } catch (const Error& error) {
      return error;
    }
    FAIL("resolved");
    return Error(Category::machine, "");
  }
};

}  // namespace

TEST_CASE("a spec resolves to its closure, by apt, with versions, digests and paths") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  f.archive.add("core", "1:2.0~rc1+b1", "Essential: yes\n");
  f.archive.add("base-tool", "1", "", true);
  f.archive.add("apt", "2", "");
  f.archive.add("app", "3", "Depends: lib-a | lib-b, core (>= 1:1)\nRecommends: big-doc\n");
  f.archive.add("lib-a", "4", "");
  f.archive.add("lib-b", "4", "");
  f.archive.add("big-doc", "5", "");
  f.archive.publish();

  const DebianLock lock = f.resolve({"app"});
  CHECK(names(lock) == std::vector<std::string>{"app", "core", "lib-a"});
  CHECK(lock.packages[1].version == "1:2.0~rc1+b1");
  CHECK(lock.packages[1].architecture == "all");
  CHECK(lock.packages[1].path == "debian/pool/main/core/core_2.0~rc1+b1_all.deb");
  CHECK(lock.packages[1].size_bytes ==
        kiln::fs::file_size(f.archive.debian() / "pool/main/core/core_2.0~rc1+b1_all.deb"));
  CHECK(lock.epoch == 1768042932);
  CHECK(names(f.resolve({}, "apt")) == std::vector<std::string>{"apt", "core"});
  CHECK(names(f.resolve({}, "minbase")) == std::vector<std::string>{"apt", "base-tool", "core"});
  CHECK(fs::is_empty(f.work.path()));
  // What was resolved is a lock that can be written and read again.
  Lock file;
  file.set_debian("base", lock);
  CHECK(*Lock::parse(file.to_text(), "x").find_debian("base") == lock);
}

TEST_CASE("usrmerge gives way to usr-is-merged, unless it was asked for") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  f.archive.add("core", "1", "Essential: yes\nDepends: usrmerge | usr-is-merged\n");
  f.archive.add("usrmerge", "1", "");
  f.archive.add("usr-is-merged", "1", "");
  f.archive.publish();
  CHECK(names(f.resolve({})) == std::vector<std::string>{"core", "usr-is-merged"});
  CHECK(names(f.resolve({"usrmerge"})) == std::vector<std::string>{"core", "usrmerge"});
}

TEST_CASE("unknown packages are answered with the nearest, impossible wishes with apt's reasons") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  f.archive.add("core", "1", "Essential: yes\n");
  f.archive.add("python3-venv", "1", "");
  f.archive.add("broken", "1", "Depends: not-there (>= 2)\n");
  f.archive.publish();
  const Error unknown = f.failure({"python3-vnev"});
  CHECK(unknown.category() == Category::usage);
  CHECK(unknown.message() == "suite 'bookworm' has no package 'python3-vnev' for amd64; did you mean 'python3-venv'?");
  const Error impossible = f.failure({"broken"});
  CHECK(impossible.category() == Category::usage);
  CHECK(impossible.detail().find("not-there") != std::string::npos);
}

TEST_CASE("an index that the keyring does not vouch for is an error") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  f.archive.add("core", "1", "Essential: yes\n");
  f.archive.publish();
  REQUIRE_NOTHROW(f.resolve({}));
  const fs::path release = f.archive.debian() / "dists/bookworm/InRelease";
  const std::string text = read_file(release);

  SUBCASE("changed after it was signed") {
    std::string changed = text;
    changed.replace(changed.find("Origin: kiln"), 12, "Origin: evil");
    write_file_atomically(release, changed);
  }
  SUBCASE("signed by another key") {
    LocalArchive other;
    other.add("core", "1", "Essential: yes\n");
    other.publish();
    fs::copy_file(other.debian() / "dists/bookworm/InRelease", release, fs::copy_options::overwrite_existing);
  }
  SUBCASE("not signed at all") { write_file_atomically(release, text.substr(text.find("Origin"))); }
  SUBCASE("of other packages") {
    write_file_atomically(f.archive.debian() / "dists/bookworm/main/binary-amd64/Packages", "Package: evil\n\n");
  }
  SUBCASE("missing") { fs::remove_all(f.archive.debian() / "dists/bookworm-updates"); }
  const Error error = f.failure({});
  CHECK(error.category() == Category::network);
  CHECK(!error.detail().empty());
}

TEST_CASE("a mirror that does not answer is a network error without its credentials") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  DebianArchives archives = f.archive.archives();
  archives.debian = "http://user:hunter2@127.0.0.1:1/debian";
  try {
    kiln::resolve(f.archive.spec(), archives, f.work.path(), f.log, CancelToken());
    FAIL("resolved");
  } catch (const Error& error) {
    CHECK(error.category() == Category::network);
    CHECK((error.message() + error.detail()).find("hunter2") == std::string::npos);
  }
}
