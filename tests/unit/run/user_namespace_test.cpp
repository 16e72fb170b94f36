#include "builder/run/user_namespace.hpp"

#include <doctest/doctest.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "container_fixture.hpp"

using namespace kiln;

TEST_CASE("the first range of a user is found by name or number") {
  const std::string text = "# comment\nalice:100000:65536\n1001:300000:65536\nbob:x:1\nbob:5:0\nbob:200000:10\n";
  CHECK(find_id_range(text, "alice", 1000)->first == 100000);
  CHECK(find_id_range(text, "carol", 1001)->first == 300000);
  CHECK(find_id_range(text, "bob", 1002)->count == 10);
  CHECK_FALSE(find_id_range(text, "dave", 1003));
  CHECK_FALSE(find_id_range("", "alice", 1000));
}

namespace {

constexpr uid_t kNobody = 65534;

// Takes further ids from all users, as this process and its children see /etc: in a mount namespace of its own.
bool give_ids_to_nobody(const fs::path& folder) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  write_file_atomically(folder / "ids", "65534:200000:65536\n", Durability::ephemeral, 0644);
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    if (::mount((folder / "ids").c_str(), file, nullptr, MS_BIND, nullptr) != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a user who is not root runs containers in a user namespace, as root and as others") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root to become another user");
    return;
  }
  if (!fs::exists("/etc/subuid") || !fs::exists("/etc/subgid") || !find_program("newuidmap")) {
    MESSAGE("skipped: no newuidmap, /etc/subuid and /etc/subgid (Debian: uidmap)");
    return;
  }
  KILN_NEEDS_CONTAINERS();
  const TempDir top;
  fs::permissions(top.path(), fs::perms::all);
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(pipe[0]);
    std::string report = "?";
    try {
      if (!give_ids_to_nobody(top.path())) ::_exit(9);
      if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(9);
      ::setenv("TMPDIR", top.path().c_str(), 1);
      const auto runner = Runner::start(WithoutRoot::enter_user_namespace);
      if (!runner->user_namespace_problem().empty()) {
        report = "skipped: " + runner->user_namespace_problem();
      } else {
        report.clear();
        {
          kiln::testing::ContainerFixture box;
          RunRequest request =
              box.request("id -u; touch /work/root; rm /bin/dd; chmod 700 /work; cat /made/file; ls /sys >/dev/null");
          request.mounts.push_back({"/made/file", FileSource{"made\n", 0444}});
          const auto sink = [&](std::string_view bytes) { report += bytes; };
          report += std::to_string(runner->run(box.home, request, sink, CancelToken()).exit_code) + "\n";
          for (const std::string& name : box.upper_names()) report += name + " ";
          request = box.request("id -u; touch /tmp/mine; stat -c %u /tmp/mine; ls /sys/class/net");
          request.uid = 1000;
          request.gid = 1000;
          request.network = RunNetwork::none;
          report += "\n";
          report += std::to_string(runner->run(box.home, request, sink, CancelToken()).exit_code) + "\n";
        }
      }
    } catch (const std::exception& error) {
      report += std::string("error: ") + error.what();
    }
    if (::write(pipe[1], report.data(), report.size()) < 0) ::_exit(8);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string report;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(pipe[0], buffer, sizeof buffer)) > 0;)
    report.append(buffer, static_cast<std::size_t>(got));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  if (report.starts_with("skipped: ")) {
    MESSAGE(report);
    return;
  }
  CHECK(report == "0\nmade\n0\nbin/ bin/dd work/ work/root \n1000\n1000\nlo\n0\n");
}

TEST_CASE("an id is mapped where a range of the map holds it") {
  const std::string whole = "         0          0 4294967295\n";
  CHECK(is_mapped(whole, 5));
  const std::string one = "         0       1000          1\n";
  CHECK(is_mapped(one, 0));
  CHECK_FALSE(is_mapped(one, 5));
  CHECK(is_mapped("0 1000 1\n1 100000 65536\n", 5));
  CHECK_FALSE(is_mapped("", 0));
  CHECK_FALSE(is_mapped("nonsense\n1 2\n", 1));
}
