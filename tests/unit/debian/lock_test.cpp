#include "builder/debian/lock.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <thread>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

LockedPackage package(const std::string& name, const std::string& version, char digit = 'a') {
  return {name, version, "amd64", 1234, std::string(64, digit), "debian/pool/main/x/" + name + "_" + version + ".deb"};
}

DebianLock entry() {
  DebianLock lock;
  lock.spec.architecture = "amd64";
  lock.spec.include = {"python3"};
  lock.epoch = 1700000000;
  lock.packages = {package("bash", "5.2-1"), package("zlib1g", "1.2-1", 'b')};
  return lock;
}

Lock full() {
  Lock lock;
  lock.set_debian("base-python", entry());
  lock.set_debian("base-python@arm64", entry());
  lock.set_image("docker.io/library/python:3.11-slim", "linux/amd64", "sha256:" + std::string(64, 'c'));
  lock.set_image("docker.io/library/python:3.11-slim", "linux/arm64", "sha256:" + std::string(64, 'd'));
  return lock;
}

std::string message_of(const std::string& text) {
  try {
    Lock::parse(text, "images/kiln.lock");
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a lock reads back what it wrote, and writes the same text again") {
  for (const Lock& lock : {Lock(), full()}) {
    const std::string text = lock.to_text();
    const Lock again = Lock::parse(text, "x");
    CHECK(again == lock);
    CHECK(again.to_text() == text);
  }
}

TEST_CASE("the text of a lock is pinned") {
  Lock lock;
  DebianLock one = entry();
  one.packages.resize(1);
  lock.set_debian("base", one);
  CHECK(lock.to_text() == R"({
  "schema_version": 1,
  "debian": {
    "base": {
      "suite": "bookworm",
      "variant": "minbase",
      "include": ["python3"],
      "architecture": "amd64",
      "components": ["main"],
      "epoch": 1700000000,
      "packages": [
        {"name": "bash", "version": "5.2-1", "architecture": "amd64", "size": 1234, "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "path": "debian/pool/main/x/bash_5.2-1.deb"}
      ]
    }
  },
  "images": {}
}
)");
}

TEST_CASE("a missing lock file is an empty lock") {
  const TempDir folder;
  CHECK(Lock::read(folder.path() / "kiln.lock") == Lock());
}

TEST_CASE("bad locks are refused with file and line") {
  const std::string good = full().to_text();
  CHECK(message_of(good).empty());
  CHECK(message_of(replaced(good, "\"suite\": \"bookworm\"", "\"siute\": \"bookworm\""))
            .find("images/kiln.lock:5: unknown key 'siute'; did you mean 'suite'?") != std::string::npos);
  CHECK(message_of(replaced(good, "\"schema_version\": 1", "\"schema_version\": 2")).find("images/kiln.lock:2:") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "\"epoch\": 1700000000", "\"epoch\": -1")).find("images/kiln.lock:10:") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "\"size\": 1234", "\"size\": 1.5")).find("images/kiln.lock:12:") !=
        std::string::npos);
  CHECK(message_of(replaced(good, std::string(64, 'a'), "zz")).find("is no sha256") != std::string::npos);
  CHECK(message_of(replaced(good, "debian/pool/main/x/bash", "debian/../../etc/bash")).find("is no path") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "debian/pool/main/x/bash", "http://evil.example/bash")).find("is no path") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "\"name\": \"bash\"", "\"name\": \"bash,evil\"")).find("is no package name") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "\"version\": \"5.2-1\"", "\"version\": \"5 --x\"")).find("is no version") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "\"name\": \"zlib1g\"", "\"name\": \"bash\"")).find("listed twice") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "\"variant\": \"minbase\"", "\"variant\": \"huge\"")).find("unknown variant") !=
        std::string::npos);
  CHECK(message_of(replaced(good, "sha256:ccc", "sha256:xyz")).find("expected a digest") != std::string::npos);
  for (const char* text :
       {"", "[]", "{}", "null", "{\"schema_version\": 1}", "{\"schema_version\": 1, \"debian\": [], \"images\": {}}",
        "{\"schema_version\": 1, \"debian\": {\"x\": 1}, \"images\": {}}",
        "{\"schema_version\": 1, \"debian\": {}, \"images\": {\"r\": []}}",
        "{\"schema_version\": 1, \"debian\": {}, \"debian\": {}, \"images\": {}}"}) {
    CHECK_MESSAGE(!message_of(text).empty(), "accepted: " << text);
  }
}

TEST_CASE("a new date alone does not change an entry, a new package does") {
  Lock lock = full();
  DebianLock later = entry();
  later.epoch += 3600;
  lock.set_debian("base-python", later);
  CHECK(lock == full());
  later.packages[0].sha256 = std::string(64, 'e');
  lock.set_debian("base-python", later);
  CHECK(lock.find_debian("base-python")->epoch == later.epoch);
}

TEST_CASE("mirrors do not reach the lock") {
  Lock lock;
  DebianLock mine = entry();
  mine.spec.mirror = "http://inside.example/debian";
  lock.set_debian("base", mine);
  CHECK(lock.to_text().find("inside.example") == std::string::npos);
}

TEST_CASE("images are found by reference and platform") {
  const Lock lock = full();
  CHECK(lock.find_image("docker.io/library/python:3.11-slim", "linux/arm64") == "sha256:" + std::string(64, 'd'));
  CHECK(!lock.find_image("docker.io/library/python:3.11-slim", "linux/s390x"));
  CHECK(!lock.find_image("docker.io/library/python:3.12", "linux/amd64"));
  CHECK(lock.find_debian("nothing") == nullptr);
  Lock other = lock;
  CHECK_ERROR(other.set_image("a", "linux/amd64", "no digest"), Category::usage, doctest::Contains("no digest"));
}

TEST_CASE("the lock's digest is pinned and changes with all that decides the bytes") {
  const std::string digest = lock_digest(entry());
  CHECK(digest == "sha256:9a29b04eb2ee296f10304d37407a62fa2e85604fcbd3c4f118295a2c42588ce3");
  const auto changed = [&](auto change) {
    DebianLock lock = entry();
    change(lock);
    return lock_digest(lock) != digest;
  };
  CHECK(changed([](DebianLock& l) { l.epoch += 1; }));
  CHECK(changed([](DebianLock& l) { l.packages.pop_back(); }));
  CHECK(changed([](DebianLock& l) { l.packages[1].sha256 = std::string(64, 'f'); }));
  CHECK(changed([](DebianLock& l) { l.spec.components.push_back("contrib"); }));
  // Where a package lay and why it came along is not in the bytes.
  CHECK(!changed([](DebianLock& l) { l.packages[1].path = "debian-security/pool/y.deb"; }));
  CHECK(!changed([](DebianLock& l) { l.spec.include.push_back("zlib1g"); }));
}

TEST_CASE("changes are described package by package") {
  DebianLock after = entry();
  after.packages[0].version = "5.3-1";
  after.packages[1] = package("curl", "8");
  CHECK(describe_changes(entry(), after) ==
        std::vector<std::string>{"bash 5.2-1 -> 5.3-1", "new: curl 8", "gone: zlib1g 1.2-1"});
  CHECK(describe_changes(entry(), entry()).empty());
}

TEST_CASE("writing the same lock leaves the file alone") {
  const TempDir folder;
  const fs::path file = folder.path() / "kiln.lock";
  full().write(file);
  struct stat before {
  }, after{};
  REQUIRE(::stat(file.c_str(), &before) == 0);
  full().write(file);
  REQUIRE(::stat(file.c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  CHECK(Lock::read(file) == full());
}

TEST_CASE("updates from several threads lose nothing") {
  const TempDir folder;
  const fs::path file = folder.path() / "images/kiln.lock";  // a TempDir's own folder is locked
  make_directories(file.parent_path());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back(
        [&, i] { Lock::update(file, [&](Lock& lock) { lock.set_debian("image-" + std::to_string(i), entry()); }); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(Lock::read(file).debian().size() == 8);
}
