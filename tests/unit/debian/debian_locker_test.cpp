#include "builder/debian/debian_locker.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "local_archive.hpp"
#include "test_log.hpp"

using namespace kiln;

namespace {

struct Fixture {
  LocalArchive archive;
  TempDir work;
  TestLog log;
  DebianSpec spec = archive.spec();

  Fixture() {
    archive.add("core", "1", "Essential: yes\n");
    archive.add("app", "3", "Depends: core\n");
    archive.publish();
    spec.include = {"app"};
    make_directories(lock_file().parent_path());
  }
  // Not in the TempDir itself, which holds a lock on its own folder as Lock::update() does.
  fs::path lock_file() const { return work.path() / "images/kiln.lock"; }
  DebianLocker locker(LockPolicy policy, const std::string& debs = "debs") {
    return DebianLocker({lock_file(), work.path() / debs, work.path()}, policy, log, CancelToken(),
                        [this](const DebianSpec&) { return archive.archives(); });
  }
  bool was_said(std::string_view words) const {
    return std::any_of(log.messages.begin(), log.messages.end(),
                       [&](const std::string& message) { return message.find(words) != std::string::npos; });
  }
};

#define SKIP_WITHOUT_ARCHIVE()                                                          \
  if (const std::string missing = LocalArchive::missing_programs(); !missing.empty()) { \
    MESSAGE("skipped: needs" << missing);                                               \
    return;                                                                             \
  }

}  // namespace

TEST_CASE("what is locked stays while the mirror moves, until it is renewed") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  const DebianLock first = f.locker(LockPolicy::use).entry("base", f.spec);
  CHECK(f.was_said("locked 'base': 2 Debian packages"));
  f.archive.add("app", "4", "Depends: core\n");
  f.archive.publish("Sun, 11 Jan 2026 11:02:12 UTC");
  CHECK(f.locker(LockPolicy::use).entry("base", f.spec) == first);
  CHECK(f.locker(LockPolicy::frozen).entry("base", f.spec) == first);
  const DebianLock renewed = f.locker(LockPolicy::renew).entry("base", f.spec);
  CHECK(renewed.packages[0].version == "4");
  CHECK(renewed.epoch == first.epoch + 86400);
  CHECK(f.was_said("locked 'base' anew: app 3 -> 4"));
  CHECK(*Lock::read(f.lock_file()).find_debian("base") == renewed);
}

TEST_CASE("an index with a new date and the same packages renews to the same lock") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  const DebianLock first = f.locker(LockPolicy::use).entry("base", f.spec);
  f.archive.publish("Sun, 11 Jan 2026 11:02:12 UTC");
  CHECK(f.locker(LockPolicy::renew).entry("base", f.spec) == first);
  CHECK(f.was_said("no package moved"));
}

TEST_CASE("an edited definition is resolved anew, and refused where the lock is frozen") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  CHECK_THROWS_WITH_AS(f.locker(LockPolicy::frozen).entry("base", f.spec), doctest::Contains("is not locked"), Error);
  CHECK(!fs::exists(f.lock_file()));
  f.locker(LockPolicy::use).entry("base", f.spec);
  f.spec.include.clear();
  CHECK_THROWS_WITH_AS(f.locker(LockPolicy::frozen).entry("base", f.spec), doctest::Contains("was edited after"),
                       Error);
  CHECK(f.locker(LockPolicy::use).entry("base", f.spec).packages.size() == 1);
  CHECK(f.was_said("gone: app 3"));
}

TEST_CASE("a look tells what would be locked and leaves the file as it is") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  CHECK_FALSE(f.locker(LockPolicy::look).is_locked("base", f.spec));
  CHECK(f.locker(LockPolicy::look).entry("base", f.spec).packages.size() == 2);
  CHECK(!fs::exists(f.lock_file()));
  const DebianLock first = f.locker(LockPolicy::use).entry("base", f.spec);
  CHECK(f.locker(LockPolicy::look).is_locked("base", f.spec));
  f.spec.include.clear();
  CHECK_FALSE(f.locker(LockPolicy::look).is_locked("base", f.spec));
  CHECK(f.locker(LockPolicy::look).entry("base", f.spec).packages.size() == 1);
  CHECK(*Lock::read(f.lock_file()).find_debian("base") == first);
}

TEST_CASE("packages that are gone are resolved anew with a warning, or refused where the lock is frozen") {
  SKIP_WITHOUT_ARCHIVE();
  Fixture f;
  const DebianLock first = f.locker(LockPolicy::use).entry_with_packages("base", f.spec);
  f.archive.add("app", "4", "Depends: core\n");
  f.archive.publish();
  // The store still has the old one.
  CHECK(f.locker(LockPolicy::frozen).entry_with_packages("base", f.spec) == first);
  try {
    f.locker(LockPolicy::frozen, "empty").entry_with_packages("base", f.spec);
    FAIL("fetched");
  } catch (const Error& error) {
    CHECK(error.category() == Category::network);
    CHECK(error.message().find("app 3; run 'kiln lock --update'") != std::string::npos);
  }
  CHECK(*Lock::read(f.lock_file()).find_debian("base") == first);
  const DebianLocker fresh = f.locker(LockPolicy::use, "fresh");
  const DebianLock moved = fresh.entry_with_packages("base", f.spec);
  CHECK(moved.packages[0].version == "4");
  CHECK(f.was_said("app 3 -> 4"));
  for (const LockedPackage& package : moved.packages) CHECK(fresh.store().verify(package));
}
