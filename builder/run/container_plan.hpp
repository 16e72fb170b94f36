#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "builder/run/run_request.hpp"
#include "builder/run/runtime.hpp"
#include "builder/run/runtime_spec.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

// Where a worker puts a container together: a tmpfs of its own on the folder runtime/mnt, invisible to the host. The
// same path in every worker, since each has a mount namespace of its own.
//
//   rootfs          the container's root
//   stubs           the uppermost lower folder: mount points that the image does not have (see mount_stubs.hpp)
//   m/I             what mount number I shows: a file, a folder or a mount
//   config.json, state/, log, pid      of the runtime
struct WorkerFolders {
  explicit WorkerFolders(fs::path mount_point) : top(std::move(mount_point)) {}
  fs::path top;
  fs::path rootfs() const { return top / "rootfs"; }
  fs::path stubs() const { return top / "stubs"; }
  fs::path mount(std::size_t number) const { return top / "m" / std::to_string(number); }
};

// Everything that a worker needs to know about its container.
struct ContainerPlan {
  std::string id;
  fs::path mount_point;  // exists
  fs::path snapshots;    // overlay options are relative to it
  fs::path runtime;
  bool own_cgroups = true;
  bool user_xattrs = false;
  // No cgroup says which devices may be opened, so none that the image or a mount holds can be.
  bool opens_no_devices = false;
  bool host_root = false;  // a probe: the root shows the host's programs; lowers and upper are not used
  std::vector<fs::path> lowers;
  UpperFolders upper;
  std::vector<RunMount> mounts;
  std::string spec;  // config.json
  std::string working_dir;
  std::string stdin_bytes;
  bool recorded_network = false;
  bool terminal = false;  // its pseudoterminal is sent to kiln when it has been started

  std::string serialise() const;
  static ContainerPlan parse(std::string_view payload);
};

// The plan of a request on this machine: the mounts that every container gets (/etc/resolv.conf, /etc/hosts, build-time
// trust) before its own, the environment completed. Warnings go to `warnings`. `process` gets what `runtime exec`
// needs.
ContainerPlan plan_container(const HomeLayout& home, const Runtime& runtime, const RunRequest& request,
                             std::vector<std::string>& warnings, SpecProcess* process = nullptr);

// runtime/mnt of a home, made where it is missing.
fs::path worker_mount_point(const HomeLayout& home);
// A name for a container that no other on this machine has.
std::string new_container_id();

// /etc/hosts of a container.
std::string hosts_file(const std::string& hostname,
                       const std::vector<std::pair<std::string, std::string>>& extra_hosts);

// The end of a container, as its worker tells it.
struct WorkerReport {
  enum class Outcome : std::uint64_t {
    exited,   // exit_code
    refused,  // an error: category and message
    killed,   // kiln asked for it
  };
  Outcome outcome = Outcome::exited;
  int exit_code = 0;
  double seconds = 0;
  bool out_of_memory = false;
  Category category = Category::machine;
  std::string message;

  std::string serialise() const;
  static WorkerReport parse(std::string_view payload);
};

}  // namespace kiln
