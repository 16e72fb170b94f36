#include "builder/run/runner.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/run/cgroups.hpp"
#include "builder/run/host_mounts.hpp"
#include "container_fixture.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;
using kiln::testing::ContainerFixture;
using kiln::testing::runner;

namespace {

using Names = std::vector<std::string>;

// Processes of this machine whose command line holds `mark`.
int count_processes(const std::string& mark) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (!parse_unsigned(entry.path().filename().native())) continue;
    std::error_code error;
    try {
      if (read_file(entry.path() / "cmdline").find(mark) != std::string::npos) ++count;
    } catch (const Error&) {
      // It ended meanwhile.
    }
  }
  return count;
}

bool wait_until(const std::function<bool()>& condition) {
  for (int tries = 0; tries < 400; ++tries) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return false;
}

std::string mounts_here() { return read_file("/proc/self/mountinfo"); }

}  // namespace

TEST_CASE("the upper folder holds just what the command wrote") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  CHECK(box.run("echo hello > /work/new; mkdir /made; rm /bin/dd").exit_code == 0);
  CHECK(box.upper_names() == Names{"bin/", "bin/dd", "made/", "work/", "work/new"});
  CHECK(box.upper_text("work/new") == "hello\n");
  struct stat status {};
  REQUIRE(::lstat((box.upper.fs / "bin/dd").c_str(), &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK(status.st_rdev == 0);
}

TEST_CASE("a command that writes nothing leaves an empty upper folder, whatever was mounted for it") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request(
      "cat /etc/hosts /etc/resolv.conf /run/secrets/token /made/up/by/kiln/file && ls /proc /sys /dev >/dev/null");
  request.trust.bundle = box.image / "bin/busybox";
  request.mounts.push_back({"/run/secrets/token", FileSource{"s3cret", 0400}});
  request.mounts.push_back({"/made/up/by/kiln/file", FileSource{"text", 0444}});
  request.mounts.push_back({"/root/.cache/pip", TmpfsSource{}});
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output.find("s3cret") != std::string::npos);
  CHECK(box.output.find("127.0.0.1\tlocalhost buildkitsandbox") != std::string::npos);
  CHECK(box.upper_names().empty());
}

TEST_CASE("a command sees the machine's certificates and proxies, and its layer does not") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const fs::path bundle = box.top.path() / "bundle.crt";
  write_file_atomically(bundle, "the certificates");
  RunRequest request = box.request(
      "cat $SSL_CERT_FILE $APT_CONFIG; echo $PIP_CERT $https_proxy; echo x > $SSL_CERT_FILE || echo mine > /work/out");
  request.trust.bundle = bundle;
  request.proxies = {"https_proxy=http://proxy:3128"};
  request.env.push_back("PIP_CERT=/own");
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output.find("the certificatesAcquire::https::CaInfo") == 0);
  CHECK(box.output.find("/own http://proxy:3128\n") != std::string::npos);
  CHECK(box.upper_names() == Names{"work/", "work/out"});
  CHECK(read_file(bundle) == "the certificates");
}

TEST_CASE("a folder that the command writes beside a mount keeps its own owner, mode and time") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  fs::permissions(box.image / "etc", static_cast<fs::perms>(0711));
  REQUIRE(::chown((box.image / "etc").c_str(), 12, 34) == 0);
  CHECK(box.run("stat -c '%a %u %g' /etc; touch /etc/new").exit_code == 0);
  CHECK(box.output == "711 12 34\n");
  CHECK(box.upper_names() == Names{"etc/", "etc/new"});
  struct stat status {};
  REQUIRE(::stat((box.upper.fs / "etc").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0711);
  CHECK(status.st_uid == 12);
  CHECK(status.st_gid == 34);
}

TEST_CASE("mount points follow the image's symlinks without leaving it") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  fs::create_symlink("../run/resolv/stub.conf", box.image / "etc/resolv.conf");
  fs::create_symlink("/../../../../tmp", box.image / "out");
  RunRequest request = box.request("cat /etc/resolv.conf > /work/copy; ls /tmp/sub; readlink /etc/resolv.conf");
  request.mounts.push_back({"/out/sub/file", FileSource{"x", 0444}});
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "file\n../run/resolv/stub.conf\n");
  CHECK(box.upper_names() == Names{"work/", "work/copy"});
  CHECK_FALSE(fs::exists("/tmp/sub"));
}

TEST_CASE("an image whose /dev leads out of it writes nothing to the host") {
  KILN_NEEDS_CONTAINERS();
  for (const char* name : {"dev", "proc", "sys"}) {
    CAPTURE(name);
    ContainerFixture box;
    const fs::path canary = box.top.path() / "canary";
    make_directories(canary);
    write_file_atomically(canary / "ptmx", "precious");
    fs::create_directory_symlink(canary, box.image / name);
    try {
      box.run("true");
      FAIL_CHECK("it ran");
    } catch (const Error& error) {
      CHECK(error.category() == Category::build);
      CHECK(error.message().starts_with("'/" + std::string(name) + "' is a symbolic link in the image"));
    }
    CHECK(list_directory(canary) == Names{"ptmx"});
    CHECK(read_file(canary / "ptmx") == "precious");
  }
}

TEST_CASE("an image with a FIFO for its users is refused instead of waited for") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  REQUIRE(::mkfifo((box.image / "etc/passwd").c_str(), 0644) == 0);
  CHECK_ERROR(box.run("true"), Category::build,
              doctest::Contains("'/etc/passwd' of the image is a FIFO, expected a file"));
}

TEST_CASE("for a worker the host is read-only, but for what its container writes to") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const fs::path cache = box.top.path() / "cache";
  make_directories(cache);
  RunRequest request = box.request("echo kept > /cache/file; echo written > /work/file");
  request.mounts.push_back({"/cache", CacheSource{cache, "", false}});
  CHECK(box.run(request).exit_code == 0);
  CHECK(read_file(cache / "file") == "kept\n");
  CHECK(box.upper_text("work/file") == "written\n");
  // In a mount namespace as a worker's.
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    int code = 1;
    try {
      const bool is_apart =
          ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
      protect_host_mounts({cache, box.top.path() / "absent"});
      const Fd inside(::open((cache / "more").c_str(), O_WRONLY | O_CREAT, 0600));
      const Fd outside(::open((box.top.path() / "more").c_str(), O_WRONLY | O_CREAT, 0600));
      const bool is_refused = !outside && errno == EROFS;
      const bool is_far_refused = ::mkdir("/tmp/kiln-protected-test", 0700) != 0 && errno == EROFS;
      code = is_apart && inside && is_refused && is_far_refused ? 0 : 2;
    } catch (const std::exception&) {
      // The code says it.
    }
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
  CHECK(fs::exists(cache / "more"));
}

TEST_CASE("an image without any file gets its mount points too") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("");
  request.lowers.clear();
  request.mounts.push_back({"/bin", BindSource{{box.image / "bin"}, "", false}});
  request.argv = {"/bin/sh", "-c", "ls / > /list && cat /list"};
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "bin\ndev\netc\nlist\nproc\nsys\n");
  CHECK(box.upper_names() == Names{"list"});
}

TEST_CASE("exit codes and signals come through") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunResult result = box.run("exit 7");
  CHECK(result.exit_code == 7);
  CHECK_FALSE(result.signal);
  RunRequest killed = box.request("");
  killed.argv = {"/bin/sh", "-c", "sh -c 'kill -9 $$'; exit $?"};
  result = box.run(killed);
  CHECK(result.exit_code == 137);
  CHECK(result.signal == 9);
  CHECK(result.seconds > 0);
}

TEST_CASE("a command that cannot be started is the build's error, with its name") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("");
  request.argv = {"/no/such/program"};
  try {
    box.run(request);
    FAIL("it ran");
  } catch (const Error& error) {
    CHECK(error.category() == Category::build);
    CHECK(error.message().find("/no/such/program") != std::string::npos);
  }
}

TEST_CASE("both outputs arrive in order, and standard input is what was given") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("/bin/echo one; /bin/echo two >&2; cat; echo three");
  request.stdin_bytes = "from stdin\n";
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "one\ntwo\nfrom stdin\nthree\n");
  CHECK(box.run("cat; echo end").exit_code == 0);
  CHECK(box.output == "end\n");
}

TEST_CASE("the shell is process 1, with the user, groups, folder, host name and environment asked for") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("echo $$; id -u; id -g; id -G; echo $PWD $A $http_proxy; hostname");
  request.uid = 1234;
  request.gid = 56;
  request.groups = {7, 8};
  request.working_dir = "/work";
  request.env.push_back("A=own");
  request.proxies = {"A=not this", "http_proxy=http://proxy"};
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "1\n1234\n56\n56 7 8\n/work own http://proxy\nbuildkitsandbox\n");
}

TEST_CASE("a secret is readable where it is mounted and nowhere on disk") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const std::string secret = std::string("needle-") + "in-a-haystack";
  RunRequest request =
      box.request("cat /run/secrets/a | grep -c needle; stat -c '%a %u %g' /run/secrets/a; echo x > /run/secrets/a");
  request.mounts.push_back({"/run/secrets/a", FileSource{secret, 0440, 5, 6}});
  CHECK(box.run(request).exit_code != 0);
  CHECK(box.output.find("1\n") == 0);
  CHECK(box.output.find("440 5 6\n") != std::string::npos);
  CHECK(box.output.find("Read-only file system") != std::string::npos);
  CHECK(box.upper_names().empty());
  for (const auto& entry : fs::recursive_directory_iterator(box.top.path())) {
    if (entry.is_regular_file()) CHECK(read_file(entry.path()).find(secret) == std::string::npos);
  }
}

TEST_CASE("without a network there is only the loopback device, with it the host's") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("ls /sys/class/net");
  request.network = RunNetwork::none;
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "lo\n");
  Names devices;
  for (const auto& entry : fs::directory_iterator("/sys/class/net")) devices.push_back(entry.path().filename());
  box.run("ls /sys/class/net");
  for (const std::string& device : devices) CHECK(box.output.find(device) != std::string::npos);
}

TEST_CASE("a recorded network hands its sockets over, and what goes elsewhere is refused at once and seen") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("ls /sys/class/net; cat /etc/resolv.conf; nc -w 5 198.51.100.7 80 || echo refused");
  request.network = RunNetwork::recorded;
  std::unique_ptr<NamespaceWatch> watch;
  bool has_proxy = false;
  request.on_network = [&](NamespaceSockets sockets) {
    has_proxy = static_cast<bool>(sockets.proxy);
    watch = std::make_unique<NamespaceWatch>(std::move(sockets.packets), std::move(sockets.names));
  };
  CHECK(box.run(request).exit_code == 0);
  CHECK(has_proxy);
  CHECK(box.output.starts_with("lo\nnameserver 127.0.0.1\n"));
  CHECK(box.output.ends_with("refused\n"));
  REQUIRE(watch);
  CHECK(watch->finish() == std::vector<std::string>{"198.51.100.7:80"});
}

TEST_CASE("limits are set, and one above the machine's is lowered with a warning") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("ulimit -n; ulimit -Hn");
  request.limits = {parse_ulimit("nofile=64:128")};
  CHECK(box.run(request).warnings.empty());
  CHECK(box.output == "64\n128\n");
}

TEST_CASE("a bind mount is read-only, or its changes are thrown away") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const fs::path context = box.top.path() / "context";
  make_directories(context / "sub");
  write_file_atomically(context / "file", "original");
  RunRequest request = box.request("cat /src/file; echo changed > /src/file");
  request.mounts.push_back({"/src", BindSource{{context}, "", false}});
  CHECK(box.run(request).exit_code != 0);
  CHECK(box.output.find("Read-only file system") != std::string::npos);

  request = box.request(
      "echo changed > /src/file; rm -r /src/sub; echo more > /src/more; cat /src/file; echo x > /one; cat /one");
  request.mounts.push_back({"/src", BindSource{{context}, "", true}});
  request.mounts.push_back({"/one", BindSource{{context}, "file", true}});
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "changed\nx\n");
  CHECK(read_file(context / "file") == "original");
  CHECK(fs::exists(context / "sub"));
  CHECK_FALSE(fs::exists(context / "more"));
  CHECK(box.upper_names().empty());
}

TEST_CASE("a bind mount shows a part of several snapshot folders, and no link leads out of them") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const fs::path lower = box.top.path() / "lower";
  const fs::path upper = box.top.path() / "over";
  make_directories(lower / "app");
  make_directories(upper / "app");
  write_file_atomically(lower / "app/a", "a");
  write_file_atomically(upper / "app/b", "b");
  fs::create_symlink("/app", upper / "link");
  fs::create_symlink("/../../../../../etc", upper / "etc-link");
  RunRequest request = box.request("ls /all");
  request.mounts.push_back({"/all", BindSource{{lower, upper}, "link", false}});
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output == "a\nb\n");
  request = box.request("ls /all");
  request.mounts.push_back({"/all", BindSource{{lower, upper}, "etc-link/passwd", false}});
  CHECK(error_of([&] { box.run(request); }) ==
        "build: mount source 'etc-link/passwd': no such file or directory, while preparing the mount at '/all'");
}

TEST_CASE("a cache mount keeps what is written, a tmpfs has its size, /dev/shm too") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const fs::path cache = box.top.path() / "cache";
  make_directories(cache);
  for (const char* expected : {"1\n", "2\n"}) {
    RunRequest request = box.request(
        "echo x >> /root/.cache/log; grep -c x /root/.cache/log; df -k /t | grep -c 1024; df -k /dev/shm | grep -c "
        "2048");
    request.shm_bytes = 2 << 20;
    request.mounts.push_back({"/root/.cache", CacheSource{cache, "", false}});
    request.mounts.push_back({"/t", TmpfsSource{1 << 20}});
    CHECK(box.run(request).exit_code == 0);
    CHECK(box.output == std::string(expected) + "1\n1\n");
    CHECK(box.upper_names().empty());
  }
  CHECK(read_file(cache / "log") == "x\nx\n");
}

TEST_CASE("a sandbox has docker's capabilities and filter, insecure has all, hardened gains none") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const std::string script =
      "grep -E 'CapEff|CapBnd|Seccomp:|NoNewPrivs' /proc/self/status; echo x > /proc/sysrq-trigger || echo refused; ls "
      "/proc/acpi /sys/firmware";
  RunRequest request = box.request(script);
  box.run(request);
  CHECK(box.output.find("CapEff:\t00000000a80425fb") != std::string::npos);
  CHECK(box.output.find("CapBnd:\t00000000a80425fb") != std::string::npos);
  CHECK(box.output.find("NoNewPrivs:\t0") != std::string::npos);
  CHECK(box.output.find("Seccomp:\t2") != std::string::npos);
  CHECK(box.output.find("refused") != std::string::npos);
  request = box.request(script);
  request.security = RunSecurity::hardened;
  box.run(request);
  CHECK(box.output.find("NoNewPrivs:\t1") != std::string::npos);
  request = box.request("grep -E 'Seccomp:|CapEff' /proc/self/status; mount -t tmpfs none /tmp && echo mounted");
  request.security = RunSecurity::insecure;
  CHECK(box.run(request).exit_code == 0);
  CHECK(box.output.find("Seccomp:\t0") != std::string::npos);
  CHECK(box.output.find("mounted") != std::string::npos);
  CHECK(box.output.find("CapEff:\t00000000a80425fb") == std::string::npos);
}

TEST_CASE("an ssh agent is reached by the user it is lent to, for its keys and signatures alone") {
  KILN_NEEDS_CONTAINERS();
  if (!fs::exists("/usr/bin/perl")) {
    MESSAGE("skipped: no /usr/bin/perl to speak to a socket with (Debian: perl-base)");
    return;
  }
  ContainerFixture box;
  for (const char* folder : {"lib", "lib64"}) fs::create_symlink(std::string("usr/") + folder, box.image / folder);
  const fs::path path = box.top.path() / "agent";
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.native().size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  ::chmod(path.c_str(), 0600);
  const timeval patience{20, 0};
  REQUIRE(::setsockopt(listener.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  std::thread agent([&] {
    // The first connection only looks whether the agent is there.
    ::close(::accept(listener.get(), nullptr, nullptr));
    const Fd client(::accept(listener.get(), nullptr, nullptr));
    char buffer[64];
    const ssize_t got = ::read(client.get(), buffer, sizeof buffer);
    CHECK(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))) == std::string("\0\0\0\1\x0b", 5));
    const std::string answer = std::string("\0\0\0\5\x0c", 5) + "keys";
    CHECK(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answer.size()));
  });
  RunRequest request = box.request(
      "stat -c '%a %u %F' /run/agent; /usr/bin/perl -MIO::Socket::UNIX -e '"
      "$s = IO::Socket::UNIX->new(\"/run/agent\") or die; for (19, 20, 11) { print $s pack(\"N/a\", chr); $s->flush; "
      "read($s, $n, 4); read($s, $t, unpack(\"N\", $n)); print unpack(\"C\", $t), substr($t, 1), \"\\n\" }'");
  request.mounts.push_back({"/usr", BindSource{{"/usr"}, "", false}});
  request.uid = 1000;
  request.mounts.push_back({"/run/agent", SshSource{path, 0600, 1000, 1000}});
  box.run(request);
  agent.join();
  CHECK(box.output == "600 1000 socket\n5\n5\n12keys\n");
  CHECK(box.upper_names().empty());
}

TEST_CASE("many containers run at the same time") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  // Each waits for the other's file in a cache they share.
  const fs::path meeting = box.top.path() / "meeting";
  make_directories(meeting);
  std::vector<RunRequest> requests;
  for (int i = 0; i < 2; ++i) {
    requests.push_back(box.request("touch /m/" + std::to_string(i) + "; for n in $(seq 500); do [ -e /m/" +
                                   std::to_string(1 - i) + " ] && exit 0; sleep 0.02; done; exit 1"));
    requests.back().mounts.push_back({"/m", CacheSource{meeting, "", false}});
  }
  std::vector<int> codes(2, -1);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] { codes[i] = runner().run(box.home, requests[i], {}, CancelToken()).exit_code; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(codes == std::vector<int>{0, 0});
}

TEST_CASE("a stop on request kills the container and all it started") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const RunRequest request = box.request("sleep 7654321 & sleep 7654321");
  std::thread stopper([&] {
    CHECK(wait_until([] { return count_processes(std::string("sleep\0", 6) + "7654321") >= 2; }));
    box.cancel.cancel(SIGINT);
  });
  try {
    box.run(request);
    FAIL("it came to its end");
  } catch (const Error& error) {
    CHECK(error.category() == Category::cancelled);
  }
  stopper.join();
  CHECK(count_processes(std::string("sleep\0", 6) + "7654321") == 0);
  CHECK(box.upper_names().empty());
}

TEST_CASE("kill -9 of kiln leaves no container and no mount") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  const RunRequest request = box.request("sleep 1234567");
  const std::string mark = std::string("sleep\0", 6) + "1234567";
  const std::string mounts = mounts_here();
  const pid_t kiln = ::fork();
  REQUIRE(kiln >= 0);
  if (kiln == 0) {
    const auto own = Runner::start(WithoutRoot::stay);
    own->run(box.home, request, {}, CancelToken());
    ::_exit(0);
  }
  CHECK(wait_until([&] { return count_processes(mark) > 0; }));
  ::kill(kiln, SIGKILL);
  ::waitpid(kiln, nullptr, 0);
  CHECK(wait_until([&] { return count_processes(mark) == 0; }));
  CHECK(mounts_here() == mounts);
}

TEST_CASE("empty cgroups of a container are removed") {
  if (!can_make_cgroups()) {
    MESSAGE("skipped: the cgroup file systems may not be written");
    return;
  }
  std::vector<fs::path> made;
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup")) {
    const fs::path group = entry.path() / "kiln" / "kiln-test-of-removal" / "child";
    std::error_code error;
    if (entry.is_directory() && !entry.is_symlink() && fs::create_directories(group, error))
      made.push_back(group.parent_path());
  }
  remove_cgroups("kiln-test-of-removal");
  for (const fs::path& group : made) CHECK_FALSE(fs::exists(group));
}

TEST_CASE("a process that is neither root nor in a user namespace is told what helps") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root to become somebody else");
    return;
  }
  const TempDir folder;
  fs::permissions(folder.path(), fs::perms::all);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
    int code = 8;
    try {
      const auto own = Runner::start(WithoutRoot::stay);
      own->runtime(HomeLayout::open(folder.path() / "home"));
    } catch (const Error& error) {
      code = error.category() == Category::machine && error.message().find("run kiln as root") != std::string::npos ? 0
                                                                                                                    : 7;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
}
