#include "builder/run/runtime_spec.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "builder/run/seccomp_profile.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;
using nlohmann::json;

namespace {

SpecInput simple() {
  SpecInput input;
  input.process.argv = {"/bin/sh", "-c", "make"};
  input.process.env = {"PATH=/bin", "A=b c"};
  input.process.working_dir = "/src";
  input.rootfs = "/kiln/rootfs";
  input.hostname = "box";
  input.cgroups_path = "/kiln/x";
  return input;
}

json without_seccomp(const SpecInput& input) {
  json spec = json::parse(runtime_spec(input));
  spec["linux"].erase("seccomp");
  return spec;
}

bool has_namespace(const json& spec, const char* type) {
  for (const json& entry : spec["linux"]["namespaces"]) {
    if (entry["type"] == type) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the configuration of a sandboxed RUN is this one") {
  const json golden = json::parse(R"({
    "ociVersion": "1.0.2",
    "process": {
      "terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/bin/sh", "-c", "make"], "env": ["PATH=/bin", "A=b c"],
      "cwd": "/src", "noNewPrivileges": false,
      "capabilities": {
        "bounding": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
          "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"],
        "effective": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
          "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"],
        "permitted": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
          "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"]}},
    "root": {"path": "/kiln/rootfs", "readonly": false},
    "hostname": "box",
    "mounts": [
      {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
      {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
      {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
       "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
      {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
       "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]},
      {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
      {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}],
    "linux": {
      "cgroupsPath": "/kiln/x",
      "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "cgroup"}],
      "resources": {"devices": [{"allow": false, "access": "rwm"}]},
      "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"],
      "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}
  })");
  CHECK(without_seccomp(simple()) == golden);
  CHECK(json::parse(runtime_spec(simple()))["linux"].contains("seccomp"));
}

TEST_CASE("the user, limits and mounts of a request are in it") {
  SpecInput input = simple();
  input.process.uid = 5;
  input.process.gid = 6;
  input.process.groups = {7};
  input.process.limits = {parse_ulimit("nofile=10:20"), parse_ulimit("core=-1")};
  input.shm_bytes = 1024;
  input.mounts = {{"/a", "/host/a", true, false, 0}, {"/b", "/host/b", false, false, 0}, {"/t", "", false, true, 4096}};
  const json spec = json::parse(runtime_spec(input));
  CHECK(spec["process"]["user"] == json::parse(R"({"uid": 5, "gid": 6, "additionalGids": [7]})"));
  CHECK(spec["process"]["rlimits"] == json::parse(R"([{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20},
      {"type": "RLIMIT_CORE", "soft": 18446744073709551615, "hard": 18446744073709551615}])"));
  CHECK(spec["mounts"][3]["options"].back() == "size=1024");
  CHECK(spec["mounts"][6] ==
        json::parse(
            R"({"destination": "/a", "type": "bind", "source": "/host/a", "options": ["rbind", "rprivate", "ro"]})"));
  CHECK(spec["mounts"][7]["options"] == json::parse(R"(["rbind", "rprivate"])"));
  CHECK(
      spec["mounts"][8] ==
      json::parse(R"({"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=4096"]})"));
}

TEST_CASE("only a RUN without a network has one of its own") {
  SpecInput input = simple();
  CHECK_FALSE(has_namespace(json::parse(runtime_spec(input)), "network"));
  input.network = RunNetwork::none;
  CHECK(has_namespace(json::parse(runtime_spec(input)), "network"));
}

TEST_CASE("in a user namespace the host's sysfs is bound, unless the network is the container's own") {
  SpecInput input = simple();
  input.in_user_namespace = true;
  CHECK(json::parse(runtime_spec(input))["mounts"][5]["options"][0] == "rbind");
  CHECK(json::parse(runtime_spec(input))["linux"]["maskedPaths"].back() == "/sys/fs/cgroup");
  input.network = RunNetwork::none;
  CHECK(json::parse(runtime_spec(input))["mounts"][5]["type"] == "sysfs");
  CHECK(json::parse(runtime_spec(input))["linux"]["maskedPaths"].back() == "/sys/firmware");
}

TEST_CASE(
    "what a machine has to hide is masked beside what all have, and a kernel without cgroup namespaces makes none") {
  SpecInput input = simple();
  input.masked_paths = {"/sys/devices/system/cpu/cpu0/thermal_throttle"};
  input.has_cgroup_namespaces = false;
  const json spec = json::parse(runtime_spec(input));
  CHECK(spec["linux"]["maskedPaths"].back() == "/sys/devices/system/cpu/cpu0/thermal_throttle");
  CHECK_FALSE(has_namespace(spec, "cgroup"));
}

TEST_CASE("insecure takes the filter and the masks away, hardened adds no_new_privs") {
  SpecInput input = simple();
  input.process.security = RunSecurity::insecure;
  json spec = json::parse(runtime_spec(input));
  CHECK_FALSE(spec["linux"].contains("seccomp"));
  CHECK_FALSE(spec["linux"].contains("maskedPaths"));
  CHECK_FALSE(spec["linux"].contains("readonlyPaths"));
  CHECK(spec["linux"]["resources"]["devices"][0]["allow"] == true);
  CHECK(spec["process"]["capabilities"]["bounding"].size() == 41);
  input.process.security = RunSecurity::hardened;
  spec = json::parse(runtime_spec(input));
  CHECK(spec["process"]["noNewPrivileges"] == true);
  CHECK(spec["linux"].contains("seccomp"));
}

TEST_CASE("no capability is given that kiln does not have") {
  SpecInput input = simple();
  input.process.available_capabilities = 1;  // CAP_CHOWN
  CHECK(json::parse(runtime_spec(input))["process"]["capabilities"]["effective"] == json::parse(R"(["CAP_CHOWN"])"));
}

TEST_CASE("the process of an exec is the process of the container") {
  const SpecInput input = simple();
  CHECK(json::parse(runtime_process(input.process)) == json::parse(runtime_spec(input))["process"]);
}

TEST_CASE("a command that is no UTF-8 is refused") {
  SpecInput input = simple();
  input.process.argv.push_back("\xff");
  CHECK(error_of([&] { runtime_spec(input); }) ==
        "build: the command, its environment or a mount target is not valid UTF-8, which the container runtime's "
        "configuration cannot hold");
}

TEST_CASE("a limit that this machine cannot give is lowered with a warning, and asking changes nothing") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  std::vector<std::string> warnings;
  const auto same = attainable_limits({{"nofile", 16, 16}}, warnings);
  CHECK(same.front().hard == 16);
  CHECK(warnings.empty());
  // No kernel gives more open files than fs.nr_open, which is below 2^31.
  const auto lowered = attainable_limits({{"nofile", 1ULL << 40, 1ULL << 40}}, warnings);
  CHECK(lowered.front().hard == before.rlim_max);
  CHECK(lowered.front().soft == before.rlim_max);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings.front().find("ulimit 'nofile'") == 0);
  rlimit after{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == before.rlim_cur);
  CHECK(after.rlim_max == before.rlim_max);
}

TEST_CASE("the filter allows what programs need and denies what leads out of a container") {
  const json profile = seccomp_profile("amd64", RunSecurity::sandbox);
  CHECK(profile["defaultAction"] == "SCMP_ACT_ERRNO");
  CHECK(profile["architectures"][0] == "SCMP_ARCH_X86_64");
  const json& allowed = profile["syscalls"][0]["names"];
  const auto allows = [&](const char* name) {
    return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
  };
  for (const char* name :
       {"read", "openat2", "execve", "chroot", "ptrace", "statx", "arch_prctl", "mknod", "futex_waitv"})
    CHECK(allows(name));
  for (const char* name :
       {"mount", "umount2", "unshare", "setns", "bpf", "keyctl", "add_key", "kexec_load", "init_module", "reboot",
        "open_by_handle_at", "userfaultfd", "perf_event_open", "clone", "clone3", "io_uring_setup", "socket"}) {
    CHECK_FALSE(allows(name));
  }
  const json& last = profile["syscalls"].back();
  CHECK(last["names"][0] == "clone3");
  CHECK(last["errnoRet"] == 38);
  CHECK(seccomp_profile("arm64", RunSecurity::sandbox)["architectures"][0] == "SCMP_ARCH_AARCH64");
  CHECK_FALSE(seccomp_profile("vax", RunSecurity::sandbox).contains("architectures"));
}

TEST_CASE("sockets are of the families that docker lets through, and a hardened RUN's 32-bit programs make none") {
  const auto rules_of = [](const char* name, RunSecurity security) {
    const json profile = seccomp_profile("amd64", security);
    std::vector<json> rules;
    for (const json& rule : profile["syscalls"]) {
      for (const json& each : rule["names"]) {
        if (each == name) rules.push_back(rule);
      }
    }
    return rules;
  };
  const auto lets_through = [&](std::uint64_t family) {
    for (const json& rule : rules_of("socket", RunSecurity::sandbox)) {
      const json& condition = rule["args"][0];
      const std::uint64_t value = condition["value"];
      if (condition["op"] == "SCMP_CMP_LT" ? family < value : family == value) return true;
    }
    return false;
  };
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_KEY, AF_BLUETOOTH, AF_XDP})
    CHECK(lets_through(static_cast<std::uint64_t>(family)));
  for (const int family : {AF_ALG, AF_VSOCK, AF_DECnet, AF_IRDA, AF_CAIF}) {
    CHECK_FALSE(lets_through(static_cast<std::uint64_t>(family)));
  }
  CHECK(rules_of("socketcall", RunSecurity::sandbox).front()["action"] == "SCMP_ACT_ALLOW");
  REQUIRE(rules_of("socketcall", RunSecurity::hardened).size() == 1);
  CHECK(rules_of("socketcall", RunSecurity::hardened).front()["errnoRet"] == 38);
}
