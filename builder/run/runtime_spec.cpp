#include "builder/run/runtime_spec.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/run/cgroups.hpp"
#include "builder/run/seccomp_profile.hpp"
#include "builder/run/user_namespace.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kTtyGroup = 5;

using nlohmann::json;

// By number (capabilities(7)).
constexpr std::array<std::string_view, 41> kCapabilities = {"CAP_CHOWN",
                                                            "CAP_DAC_OVERRIDE",
                                                            "CAP_DAC_READ_SEARCH",
                                                            "CAP_FOWNER",
                                                            "CAP_FSETID",
                                                            "CAP_KILL",
                                                            "CAP_SETGID",
                                                            "CAP_SETUID",
                                                            "CAP_SETPCAP",
                                                            "CAP_LINUX_IMMUTABLE",
                                                            "CAP_NET_BIND_SERVICE",
                                                            "CAP_NET_BROADCAST",
                                                            "CAP_NET_ADMIN",
                                                            "CAP_NET_RAW",
                                                            "CAP_IPC_LOCK",
                                                            "CAP_IPC_OWNER",
                                                            "CAP_SYS_MODULE",
                                                            "CAP_SYS_RAWIO",
                                                            "CAP_SYS_CHROOT",
                                                            "CAP_SYS_PTRACE",
                                                            "CAP_SYS_PACCT",
                                                            "CAP_SYS_ADMIN",
                                                            "CAP_SYS_BOOT",
                                                            "CAP_SYS_NICE",
                                                            "CAP_SYS_RESOURCE",
                                                            "CAP_SYS_TIME",
                                                            "CAP_SYS_TTY_CONFIG",
                                                            "CAP_MKNOD",
                                                            "CAP_LEASE",
                                                            "CAP_AUDIT_WRITE",
                                                            "CAP_AUDIT_CONTROL",
                                                            "CAP_SETFCAP",
                                                            "CAP_MAC_OVERRIDE",
                                                            "CAP_MAC_ADMIN",
                                                            "CAP_SYSLOG",
                                                            "CAP_WAKE_ALARM",
                                                            "CAP_BLOCK_SUSPEND",
                                                            "CAP_AUDIT_READ",
                                                            "CAP_PERFMON",
                                                            "CAP_BPF",
                                                            "CAP_CHECKPOINT_RESTORE"};

// What docker leaves to a container's root.
constexpr std::array<std::string_view, 14> kDefaultCapabilities = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
    "CAP_KILL",    "CAP_AUDIT_WRITE"};

constexpr std::array<const char*, 12> kMaskedPaths = {"/proc/acpi",
                                                      "/proc/asound",
                                                      "/proc/interrupts",
                                                      "/proc/kcore",
                                                      "/proc/keys",
                                                      "/proc/latency_stats",
                                                      "/proc/sched_debug",
                                                      "/proc/scsi",
                                                      "/proc/timer_list",
                                                      "/proc/timer_stats",
                                                      "/sys/devices/virtual/powercap",
                                                      "/sys/firmware"};
constexpr std::array<const char*, 5> kReadOnlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                       "/proc/sysrq-trigger"};

json capabilities(const SpecProcess& process) {
  json set = json::array();
  for (std::size_t number = 0; number < kCapabilities.size(); ++number) {
    const std::string_view name = kCapabilities[number];
    const bool is_default =
        std::find(kDefaultCapabilities.begin(), kDefaultCapabilities.end(), name) != kDefaultCapabilities.end();
    const bool wanted = is_default || process.security == RunSecurity::insecure;
    if (wanted && (process.available_capabilities >> number & 1) != 0) set.push_back(name);
  }
  // Nothing inheritable: a file that has inheritable capabilities must not gain any by it.
  return {{"bounding", set}, {"effective", set}, {"permitted", set}};
}

json process_json(const SpecProcess& process) {
  json user = {{"uid", process.uid}, {"gid", process.gid}};
  if (!process.groups.empty()) user["additionalGids"] = process.groups;
  json result = {{"terminal", process.terminal},
                 {"user", std::move(user)},
                 {"args", process.argv},
                 {"env", process.env},
                 {"cwd", process.working_dir},
                 {"capabilities", capabilities(process)},
                 {"noNewPrivileges", process.security == RunSecurity::hardened}};
  json limits = json::array();
  for (const RunLimit& limit : process.limits) {
    limits.push_back({{"type", run_limit_named(limit.name).runtime_name}, {"soft", limit.soft}, {"hard", limit.hard}});
  }
  if (!limits.empty()) result["rlimits"] = std::move(limits);
  return result;
}

json mount_json(const char* target, const char* type, const char* source, std::vector<std::string> options) {
  return {{"destination", target}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

// sysfs shows a network, and only who owns that network may mount it.
bool shows_machines_sysfs(const SpecInput& input) {
  return input.in_user_namespace && input.network == RunNetwork::host;
}

json standard_mounts(const SpecInput& input) {
  const bool insecure = input.process.security == RunSecurity::insecure;
  json mounts = json::array();
  mounts.push_back(mount_json("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(mount_json("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  std::vector<std::string> terminal_options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (input.has_tty_group) terminal_options.push_back(fmt::format("gid={}", kTtyGroup));
  mounts.push_back(mount_json("/dev/pts", "devpts", "devpts", std::move(terminal_options)));
  mounts.push_back(mount_json("/dev/shm", "tmpfs", "shm",
                              {"nosuid", "noexec", "nodev", "mode=1777", fmt::format("size={}", input.shm_bytes)}));
  mounts.push_back(mount_json("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  std::vector<std::string> options = {"nosuid", "noexec", "nodev"};
  if (!insecure) options.push_back("ro");
  if (shows_machines_sysfs(input)) {
    options.insert(options.begin(), {"rbind", "rprivate"});
    mounts.push_back(mount_json("/sys", "none", "/sys", std::move(options)));
  } else {
    mounts.push_back(mount_json("/sys", "sysfs", "sysfs", std::move(options)));
  }
  return mounts;
}

json user_mount(const SpecMount& mount) {
  std::vector<std::string> options;
  if (mount.is_tmpfs) {
    options = {"nosuid"};
    if (mount.size_bytes != 0) options.push_back(fmt::format("size={}", mount.size_bytes));
    if (mount.read_only) options.push_back("ro");
    return mount_json(mount.target.c_str(), "tmpfs", "tmpfs", std::move(options));
  }
  options = {"rbind", "rprivate"};
  if (mount.read_only) options.push_back("ro");
  return mount_json(mount.target.c_str(), "bind", mount.source.c_str(), std::move(options));
}

json linux_json(const SpecInput& input) {
  json namespaces = json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount"}) namespaces.push_back({{"type", type}});
  if (input.has_cgroup_namespaces) namespaces.push_back({{"type", "cgroup"}});
  if (input.network == RunNetwork::none) namespaces.push_back({{"type", "network"}});
  const bool insecure = input.process.security == RunSecurity::insecure;
  json result = {{"namespaces", std::move(namespaces)},
                 {"resources", {{"devices", {{{"allow", insecure}, {"access", "rwm"}}}}}}};
  if (!input.cgroups_path.empty()) result["cgroupsPath"] = input.cgroups_path;
  if (!insecure) {
    json masked = kMaskedPaths;
    for (const std::string& path : input.masked_paths) masked.push_back(path);
    // A sysfs of the container's own holds no cgroups; the machine's, which is bound, has them below it.
    if (shows_machines_sysfs(input)) masked.push_back(kCgroupMounts);
    result["maskedPaths"] = std::move(masked);
    result["readonlyPaths"] = kReadOnlyPaths;
    result["seccomp"] = seccomp_profile(oci::Platform::host().architecture, input.process.security);
  }
  return result;
}

// A string from a Dockerfile may hold any bytes; JSON holds UTF-8 only.
std::string dump(const json& value) {
  if (auto text = strict_json_text(value)) return std::move(*text);
  throw Error(Category::build,
              "the command, its environment or a mount target is not valid UTF-8, which the container "
              "runtime's configuration cannot hold");
}

}  // namespace

namespace {

// Whether the kernel lets this process raise a hard limit; it is put back at once.
bool can_raise(int resource, const rlimit& own, std::uint64_t hard) {
  const auto which = static_cast<__rlimit_resource>(resource);
  const rlimit wanted{own.rlim_cur, hard == RunLimit::kUnlimited ? RLIM_INFINITY : hard};
  if (::setrlimit(which, &wanted) != 0) return false;
  return ::setrlimit(which, &own) == 0;
}

}  // namespace

std::vector<RunLimit> attainable_limits(const std::vector<RunLimit>& wanted, std::vector<std::string>& warnings) {
  static std::mutex mutex;  // limits belong to the process
  const std::lock_guard lock(mutex);
  std::vector<RunLimit> result = wanted;
  for (RunLimit& limit : result) {
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(run_limit_named(limit.name).resource), &own) != 0) continue;
    const std::uint64_t ceiling = own.rlim_max == RLIM_INFINITY ? RunLimit::kUnlimited : own.rlim_max;
    if (limit.hard <= ceiling || can_raise(run_limit_named(limit.name).resource, own, limit.hard)) continue;
    const auto value = [](std::uint64_t number) {
      return number == RunLimit::kUnlimited ? std::string("unlimited") : std::to_string(number);
    };
    warnings.push_back(fmt::format("ulimit '{}': {} was asked for, the hard limit of this machine is {}; that is used",
                                   limit.name, value(limit.hard), value(ceiling)));
    limit.hard = ceiling;
    limit.soft = std::min(limit.soft, ceiling);
  }
  return result;
}

std::uint64_t own_capabilities() {
  const std::string status = read_file_if_exists("/proc/self/status", 1 << 20).value_or("");
  constexpr std::string_view kKey = "\nCapPrm:\t";
  const std::size_t at = status.find(kKey);
  if (at == std::string::npos) return ~std::uint64_t{0};
  const std::size_t begin = at + kKey.size();
  return parse_unsigned(std::string_view(status).substr(begin, status.find('\n', begin) - begin), 16)
      .value_or(~std::uint64_t{0});
}

bool has_cgroup_namespaces() { return ::access("/proc/self/ns/cgroup", F_OK) == 0; }

std::vector<std::string> machine_masked_paths() {
  static const std::vector<std::string> paths = [] {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/sys/devices/system/cpu", error)) {
      const fs::path counters = entry.path() / "thermal_throttle";
      if (fs::is_directory(counters, error)) found.push_back(counters.native());
    }
    std::sort(found.begin(), found.end());
    return found;
  }();
  return paths;
}

bool knows_tty_group() { return is_mapped(read_file_if_exists("/proc/self/gid_map", 1 << 16).value_or(""), kTtyGroup); }

std::vector<std::string> standard_mount_targets() { return {"/proc", "/dev", "/sys"}; }

std::string runtime_process(const SpecProcess& process) { return dump(process_json(process)); }

std::string runtime_spec(const SpecInput& input) {
  json mounts = standard_mounts(input);
  for (const SpecMount& mount : input.mounts) mounts.push_back(user_mount(mount));
  return dump({{"ociVersion", "1.0.2"},
               {"process", process_json(input.process)},
               {"root", {{"path", input.rootfs}, {"readonly", false}}},
               {"hostname", input.hostname},
               {"mounts", std::move(mounts)},
               {"linux", linux_json(input)}});
}

}  // namespace kiln
