#include "builder/debian/rootfs.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/debian/resolver.hpp"
#include "builder/debian/rootfs_hooks.hpp"
#include "registry/oci/digest.hpp"
#include "test_log.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

std::string tar(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"tar"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const CommandResult result =
      run_command({.argv = argv, .environment = {}, .working_directory = {}, .stdin_bytes = {}}, CancelToken());
  REQUIRE_MESSAGE(result.exit_code == 0, result.stderr_bytes);
  return result.stdout_bytes;
}

}  // namespace

TEST_CASE("the hooks are shell without errors, and name the public archives") {
  DebianSpec spec;
  spec.mirror = "http://inside.example/debian";
  const std::string customize = customize_hook(spec);
  CHECK(customize.find("Suites: bookworm bookworm-updates\n") != std::string::npos);
  CHECK(customize.find("URIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\n") !=
        std::string::npos);
  CHECK(customize.find("inside.example") == std::string::npos);
  spec.suite = "sid";
  CHECK(customize_hook(spec).find("security") == std::string::npos);
  for (const std::string& hook : {setup_hook(), extract_hook(), customize}) {
    const CommandResult checked = run_command(
        {.argv = {"sh", "-n"}, .environment = {}, .working_directory = {}, .stdin_bytes = hook}, CancelToken());
    CHECK_MESSAGE(checked.exit_code == 0, checked.stderr_bytes);
  }
}

TEST_CASE("packages that are not in the store are named before anything is installed") {
  if (!find_program("mmdebstrap")) {
    MESSAGE("skipped: needs mmdebstrap");
    return;
  }
  const TempDir work;
  const PackageStore store(work.path() / "debs");
  DebianLock lock;
  lock.spec.architecture = "amd64";
  lock.packages = {{"core", "1", "all", 5, std::string(64, 'a'), "debian/pool/core.deb"}};
  TestLog log;
  try {
    build_rootfs(lock, store, work.path(), log, CancelToken());
    FAIL("built");
  } catch (const Error& error) {
    CHECK(error.category() == Category::machine);
    CHECK(error.message().find("package 'core' 1 is not in the package store") != std::string::npos);
  }
  CHECK(!fs::exists(work.path() / "rootfs.tar"));
  lock.packages.clear();
  CHECK_ERROR(build_rootfs(lock, store, work.path(), log, CancelToken()), Category::usage,
              doctest::Contains("packages"));
}

// Resolves Debian's essential packages and apt, and builds them twice: some 30 s, 25 MB of download.
TEST_CASE("a real Debian root is made twice with the same bytes, and holds what it should") {
  for (const char* program : {"mmdebstrap", "apt-get", "unshare"}) {
    if (!find_program(program)) {
      MESSAGE("skipped: needs " << program);
      return;
    }
  }
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  DebianSpec spec;
  spec.architecture = std::string(trim(
      run_command(
          {.argv = {"dpkg", "--print-architecture"}, .environment = {}, .working_directory = {}, .stdin_bytes = {}},
          CancelToken())
          .stdout_bytes));
  spec.variant = "apt";
  spec.include = {"netbase"};
  const TempDir work;
  TestLog log;
  DebianLock lock;
  const PackageStore store(work.path() / "debs");
  try {
    const DebianArchives archives = archives_of_host(spec);
    lock = resolve(spec, archives, work.path(), log, CancelToken());
    REQUIRE(store.fetch(lock, archives, work.path(), log, CancelToken()).unavailable.empty());
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    MESSAGE("skipped: needs a Debian mirror: " << error.message());
    return;
  }

  fs::create_directory(work.path() / "one");
  fs::create_directory(work.path() / "the other");
  std::string output;
  const fs::path first = build_rootfs(lock, store, work.path() / "one", log, CancelToken(),
                                      [&](std::string_view bytes) { output += bytes; });
  CHECK(output.find("installing essential packages") != std::string::npos);
  const mode_t mask = ::umask(077);
  const fs::path second = build_rootfs(lock, store, work.path() / "the other", log, CancelToken());
  ::umask(mask);
  CHECK(first == work.path() / "one" / "rootfs.tar");
  CHECK(oci::sha256_of(read_file(first)) == oci::sha256_of(read_file(second)));
  for (const char* folder : {"one", "the other"}) {
    for (const auto& entry : fs::directory_iterator(work.path() / folder))
      CHECK(entry.path().filename() == "rootfs.tar");
  }

  std::set<std::string> names;
  const std::string listing = tar({"--list", "--file", first.string()});
  for (const std::string_view line : split(listing, '\n')) names.emplace(line);
  for (const char* there : {"./", "./dev/", "./usr/bin/dash", "./bin", "./usr/bin/apt-get", "./etc/services",
                            "./usr/share/doc/bash/copyright", "./etc/apt/sources.list.d/debian.sources",
                            "./etc/apt/apt.conf.d/docker-clean", "./etc/dpkg/dpkg.cfg.d/slim", "./usr/share/man/man1/",
                            "./usr/sbin/policy-rc.d", "./var/lib/dpkg/status", "./var/lib/apt/lists/partial/"}) {
    CHECK_MESSAGE(names.contains(there), "missing: " << there);
  }
  for (const char* gone : {"./etc/resolv.conf", "./etc/hostname", "./etc/apt/sources.list", "./etc/passwd-", "./libx32",
                           "./var/log/dpkg.log", "./var/lib/apt/lists/lock", "./etc/dpkg/dpkg.cfg.d/unsafe-io",
                           "./usr/share/doc/bash/README.gz", "./usr/share/man/man1/bash.1.gz"}) {
    CHECK_MESSAGE(!names.contains(gone), "still there: " << gone);
  }
  for (const std::string& name : names) {
    CHECK_MESSAGE((!name.starts_with("./dev/") || name == "./dev/"), "device: " << name);
    CHECK_MESSAGE((!name.starts_with("./var/cache/apt/") || name.ends_with("/")), "cache: " << name);
  }
  // dpkg's own records say exactly what the lock says.
  const std::string status = tar({"--extract", "--to-stdout", "--file", first.string(), "./var/lib/dpkg/status"});
  std::set<std::string> installed, locked;
  std::string name;
  for (const std::string_view line : split(status, '\n')) {
    if (line.starts_with("Package: ")) name = line.substr(9);
    if (line.starts_with("Status: ")) CHECK_MESSAGE(line == "Status: install ok installed", name << ": " << line);
    if (line.starts_with("Version: ")) installed.insert(name + "=" + std::string(line.substr(9)));
  }
  for (const LockedPackage& package : lock.packages) locked.insert(package.name + "=" + package.version);
  CHECK(installed == locked);
}

TEST_CASE("a build that is cancelled leaves no mount, no process and no file") {
  if (!find_program("mmdebstrap") || !find_program("apt-get") || ::geteuid() != 0) {
    MESSAGE("skipped: needs mmdebstrap, apt-get and root");
    return;
  }
  DebianSpec spec;
  spec.architecture = "amd64";
  spec.variant = "essential";
  const TempDir work;
  TestLog log;
  DebianLock lock;
  const PackageStore store(work.path() / "debs");
  try {
    const DebianArchives archives = archives_of_host(spec);
    lock = resolve(spec, archives, work.path(), log, CancelToken());
    REQUIRE(store.fetch(lock, archives, work.path(), log, CancelToken()).unavailable.empty());
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    MESSAGE("skipped: needs a Debian mirror: " << error.message());
    return;
  }
  fs::create_directory(work.path() / "build");
  const CancelToken cancel;
  std::string output;
  try {
    build_rootfs(lock, store, work.path() / "build", log, cancel, [&](std::string_view bytes) {
      output += bytes;
      if (output.find("installing essential packages") != std::string::npos) cancel.cancel(2);
    });
    FAIL("built");
  } catch (const Error& error) {
    CHECK(error.category() == Category::cancelled);
  }
  CHECK(fs::is_empty(work.path() / "build"));
  CHECK(read_file("/proc/self/mountinfo").find(work.path().string()) == std::string::npos);
}
