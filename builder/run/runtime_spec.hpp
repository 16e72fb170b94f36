#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/run/run_request.hpp"

namespace kiln {

// A mount of the container as the runtime gets it.
struct SpecMount {
  std::string target;
  std::string source;  // on the host
  bool read_only = true;
  bool is_tmpfs = false;
  std::uint64_t size_bytes = 0;  // of a tmpfs; 0: the kernel's default
};

struct SpecProcess {
  bool terminal = false;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string working_dir = "/";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  RunSecurity security = RunSecurity::sandbox;
  std::vector<RunLimit> limits;
  // By number. A runtime fails when it is to give what kiln does not have itself (as root of most containers).
  std::uint64_t available_capabilities = ~std::uint64_t{0};
};

// Everything that config.json says (OCI runtime specification 1.0.2), in no way tied to this machine.
struct SpecInput {
  SpecProcess process;
  std::string rootfs;
  std::string hostname;
  std::string cgroups_path;        // empty: the runtime's own choice
  bool in_user_namespace = false;  // sysfs cannot be mounted there beside the host's network: bound instead
  bool has_tty_group = true;       // false where a user namespace does not know group 5: terminals are root's then
  bool has_cgroup_namespaces = true;
  std::vector<std::string> masked_paths;  // beside those that every machine has
  RunNetwork network = RunNetwork::host;
  std::uint64_t shm_bytes = std::uint64_t{64} << 20;
  std::vector<SpecMount> mounts;  // behind the usual ones
};

// The config.json of a bundle.
std::string runtime_spec(const SpecInput& input);
// The process object alone, for `runc exec --process`.
std::string runtime_process(const SpecProcess& process);

// Whether this kernel hides the names of cgroups outside of a container.
bool has_cgroup_namespaces();

// What this machine's sysfs tells of its processors' heat, from which others' work can be read (GHSA-6fw5-f8r9-fgfm).
std::vector<std::string> machine_masked_paths();

// Whether group 5, whose terminals are by custom, is one of this user namespace.
bool knows_tty_group();

// The capabilities of this process, by number.
std::uint64_t own_capabilities();

// Mount targets of every container, in order, without those that its own /dev holds.
std::vector<std::string> standard_mount_targets();

// The limits as this machine can give them: nothing above the hard limit of this process. Each that had to be lowered
// is told in `warnings`.
std::vector<RunLimit> attainable_limits(const std::vector<RunLimit>& wanted, std::vector<std::string>& warnings);

}  // namespace kiln
