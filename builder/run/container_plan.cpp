#include "builder/run/container_plan.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/random.h>

#include <bit>

#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/run/mount_placing.hpp"
#include "builder/run/runner.hpp"
#include "builder/run/user_namespace.hpp"
#include "builder/run/worker_socket.hpp"

namespace kiln {

namespace {

std::vector<std::string> as_texts(const std::vector<fs::path>& paths) {
  std::vector<std::string> texts;
  texts.reserve(paths.size());
  for (const fs::path& path : paths) texts.push_back(path.native());
  return texts;
}

std::vector<fs::path> as_paths(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

// One writer and one reader for each kind of source, in the order of the variant.
struct SourceWriter {
  PayloadWriter& out;
  void operator()(const BindSource& source) const {
    out.texts(as_texts(source.folders)).text(source.path).number(source.writable);
  }
  void operator()(const CacheSource& source) const {
    out.text(source.folder.native()).text(source.path).number(source.read_only);
  }
  void operator()(const TmpfsSource& source) const { out.number(source.size_bytes).number(source.read_only); }
  void operator()(const FileSource& source) const {
    out.text(source.bytes).number(source.mode).number(source.uid).number(source.gid);
  }
  void operator()(const SshSource& source) const {
    out.text(source.agent.native()).number(source.mode).number(source.uid).number(source.gid);
  }
};

decltype(RunMount::source) read_source(std::uint64_t kind, PayloadReader& in) {
  switch (kind) {
    case 0: {
      BindSource source;
      source.folders = as_paths(in.texts());
      source.path = in.text();
      source.writable = in.number() != 0;
      return source;
    }
    case 1: {
      CacheSource source;
      source.folder = in.text();
      source.path = in.text();
      source.read_only = in.number() != 0;
      return source;
    }
    case 2: {
      TmpfsSource source;
      source.size_bytes = in.number();
      source.read_only = in.number() != 0;
      return source;
    }
    case 3: {
      FileSource source;
      source.bytes = in.text();
      source.mode = static_cast<unsigned>(in.number());
      source.uid = static_cast<std::uint32_t>(in.number());
      source.gid = static_cast<std::uint32_t>(in.number());
      return source;
    }
    default: {
      SshSource source;
      source.agent = in.text();
      source.mode = static_cast<unsigned>(in.number());
      source.uid = static_cast<std::uint32_t>(in.number());
      source.gid = static_cast<std::uint32_t>(in.number());
      return source;
    }
  }
}

// Of mounts that every container gets.
std::vector<RunMount> common_mounts(const RunRequest& request) {
  std::vector<RunMount> mounts;
  // With the host's network its name servers are reachable as they stand there.
  std::string resolv = request.network == RunNetwork::recorded
                           ? "nameserver 127.0.0.1\n"
                           : read_file_if_exists("/etc/resolv.conf", 1 << 20).value_or("");
  mounts.push_back({"/etc/resolv.conf", FileSource{std::move(resolv), 0644}});
  mounts.push_back({"/etc/hosts", FileSource{hosts_file(request.hostname, request.extra_hosts), 0644}});
  if (request.trust.in_use()) {
    mounts.push_back(
        {fmt::format("{}/ca-certificates.crt", kTrustFolder), BindSource{{request.trust.bundle}, "", false}});
    mounts.push_back({fmt::format("{}/apt.conf", kTrustFolder), FileSource{trust_apt_conf(), 0644}});
  }
  return mounts;
}

// A runtime follows the links of a mount in which it makes another one.
void refuse_nested(const std::vector<SpecMount>& mounts, const std::string& target) {
  for (const SpecMount& outer : mounts) {
    if (!target.starts_with(outer.target + "/")) continue;
    throw Error(Category::build, fmt::format("mount target '{}' lies in the mount at '{}': below /dev and /sys, mounts "
                                             "are not made in one another; choose another",
                                             printable(target), printable(outer.target)));
  }
}

SpecMount spec_mount(const RunMount& mount, const fs::path& place) {
  SpecMount result{clean_path(mount.target), place.native(), false, false, 0};
  if (const auto* tmpfs = std::get_if<TmpfsSource>(&mount.source)) {
    result.is_tmpfs = true;
    result.size_bytes = tmpfs->size_bytes;
    result.read_only = tmpfs->read_only;
  }
  // Files lie on the worker's tmpfs and are made read-only by the runtime; binds are read-only mounts already.
  if (std::holds_alternative<FileSource>(mount.source)) result.read_only = true;
  return result;
}

}  // namespace

std::string ContainerPlan::serialise() const {
  PayloadWriter out;
  out.text(id).text(mount_point.native()).text(snapshots.native()).text(runtime.native());
  out.number(own_cgroups).number(user_xattrs).number(opens_no_devices).number(host_root);
  out.texts(as_texts(lowers)).text(upper.fs.native()).text(upper.work.native()).text(upper.scratch.native());
  out.number(mounts.size());
  for (const RunMount& mount : mounts) {
    out.text(mount.target).number(mount.source.index());
    std::visit(SourceWriter{out}, mount.source);
  }
  out.text(spec).text(working_dir).text(stdin_bytes).number(recorded_network).number(terminal);
  return out.take();
}

ContainerPlan ContainerPlan::parse(std::string_view payload) {
  PayloadReader in(payload);
  ContainerPlan plan;
  plan.id = in.text();
  plan.mount_point = in.text();
  plan.snapshots = in.text();
  plan.runtime = in.text();
  plan.own_cgroups = in.number() != 0;
  plan.user_xattrs = in.number() != 0;
  plan.opens_no_devices = in.number() != 0;
  plan.host_root = in.number() != 0;
  plan.lowers = as_paths(in.texts());
  plan.upper.fs = in.text();
  plan.upper.work = in.text();
  plan.upper.scratch = in.text();
  plan.mounts.resize(in.number());
  for (RunMount& mount : plan.mounts) {
    mount.target = in.text();
    const std::uint64_t kind = in.number();
    mount.source = read_source(kind, in);
  }
  plan.spec = in.text();
  plan.working_dir = in.text();
  plan.stdin_bytes = in.text();
  plan.recorded_network = in.number() != 0;
  plan.terminal = in.number() != 0;
  return plan;
}

std::string WorkerReport::serialise() const {
  PayloadWriter out;
  out.number(static_cast<std::uint64_t>(outcome)).number(static_cast<std::uint64_t>(exit_code));
  out.number(std::bit_cast<std::uint64_t>(seconds)).number(out_of_memory);
  out.number(static_cast<std::uint64_t>(category)).text(message);
  return out.take();
}

WorkerReport WorkerReport::parse(std::string_view payload) {
  PayloadReader in(payload);
  WorkerReport report;
  report.outcome = static_cast<Outcome>(in.number());
  report.exit_code = static_cast<int>(in.number());
  report.seconds = std::bit_cast<double>(in.number());
  report.out_of_memory = in.number() != 0;
  report.category = static_cast<Category>(in.number());
  report.message = in.text();
  return report;
}

std::string hosts_file(const std::string& hostname,
                       const std::vector<std::pair<std::string, std::string>>& extra_hosts) {
  std::string text = fmt::format("127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\n", hostname);
  for (const auto& [name, address] : extra_hosts) text += fmt::format("{}\t{}\n", address, name);
  return text;
}

fs::path worker_mount_point(const HomeLayout& home) {
  const fs::path folder = home.runtime() / "mnt";
  make_directories(folder);
  return folder;
}

std::string new_container_id() {
  unsigned char bytes[8];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) throw_errno("read", "random numbers");
  return "kiln-" + hex(std::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

ContainerPlan plan_container(const HomeLayout& home, const Runtime& runtime, const RunRequest& request,
                             std::vector<std::string>& warnings, SpecProcess* process) {
  const bool in_user_namespace = current_privileges() != Privileges::root;
  ContainerPlan plan;
  plan.id = new_container_id();
  plan.mount_point = worker_mount_point(home);
  plan.snapshots = home.snapshots();
  plan.runtime = runtime.program;
  plan.own_cgroups = runtime.own_cgroups;
  plan.user_xattrs = in_user_namespace;
  // In a user namespace the kernel opens none.
  plan.opens_no_devices = !runtime.own_cgroups && !in_user_namespace && request.security != RunSecurity::insecure;
  plan.lowers = request.lowers;
  plan.upper = request.upper;
  plan.working_dir = request.working_dir;
  plan.stdin_bytes = request.stdin_bytes;
  plan.recorded_network = request.network == RunNetwork::recorded;
  plan.terminal = request.terminal;
  plan.mounts = common_mounts(request);
  plan.mounts.insert(plan.mounts.end(), request.mounts.begin(), request.mounts.end());

  const WorkerFolders folders(plan.mount_point);
  SpecInput spec;
  spec.process.argv = request.argv;
  spec.process.terminal = request.terminal;
  spec.process.env = merged_environment(merged_environment(request.env, request.proxies),
                                        trust_environment(request.trust, request.env));
  spec.process.working_dir = request.working_dir;
  spec.process.uid = request.uid;
  spec.process.gid = request.gid;
  spec.process.groups = request.groups;
  spec.process.security = request.security;
  spec.process.available_capabilities = own_capabilities();
  if (plan.opens_no_devices) spec.process.available_capabilities &= ~(std::uint64_t{1} << CAP_MKNOD);
  spec.process.limits = attainable_limits(request.limits, warnings);
  spec.rootfs = folders.rootfs();
  spec.hostname = request.hostname;
  if (runtime.own_cgroups) spec.cgroups_path = "/kiln/" + plan.id;
  spec.in_user_namespace = in_user_namespace;
  spec.has_tty_group = knows_tty_group();
  spec.has_cgroup_namespaces = has_cgroup_namespaces();
  spec.masked_paths = machine_masked_paths();
  spec.network = request.network;
  spec.shm_bytes = request.shm_bytes;
  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    if (!is_made_by_runtime(plan.mounts[i].target)) continue;
    SpecMount mount = spec_mount(plan.mounts[i], folders.mount(i));
    refuse_nested(spec.mounts, mount.target);
    spec.mounts.push_back(std::move(mount));
  }
  plan.spec = runtime_spec(spec);
  if (process != nullptr) {
    *process = spec.process;
    process->terminal = false;
  }
  return plan;
}

}  // namespace kiln
