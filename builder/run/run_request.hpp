#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.hpp"
#include "builder/definitions/run_limit.hpp"
#include "builder/netlog/namespace_watch.hpp"
#include "builder/run/trust.hpp"

namespace kiln {

enum class RunNetwork {
  host,  // the machine's own; BuildKit's "default" means this too
  none,  // nothing but a loopback device
  // A namespace of its own whose only way out is the proxy behind `on_network`: see enter_recorded_network().
  recorded,
};

enum class RunSecurity {
  sandbox,   // docker's default capabilities, seccomp filter, masked and read-only paths
  hardened,  // the same, no_new_privs (no setuid program gains anything), no sockets of 32-bit programs
  insecure,  // all capabilities, no filter, nothing masked
};

// What a mount shows. A source path is followed inside its tree only: a symlink that leads out of it ends at its root.

// Files of the host or of an image. Writing is possible where `writable` is set, and thrown away afterwards.
struct BindSource {
  std::vector<fs::path> folders;  // from the bottom: one host folder, or the snapshot folders of an image
  std::string path;               // inside of them; empty: all of it
  bool writable = false;
};
// A folder that keeps what is written (see CacheMounts), or a part of it.
struct CacheSource {
  fs::path folder;
  std::string path;
  bool read_only = false;
};
struct TmpfsSource {
  std::uint64_t size_bytes = 0;  // 0: the kernel's default
  bool read_only = false;
};
// Bytes that show as a read-only file and are never on a disk: secrets, scripts of heredocs.
struct FileSource {
  std::string bytes;
  unsigned mode = 0400;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
// The agent behind a socket of the host, through a socket that belongs to the given user.
struct SshSource {
  fs::path agent;
  unsigned mode = 0600;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct RunMount {
  std::string target;  // absolute in the container
  std::variant<BindSource, CacheSource, TmpfsSource, FileSource, SshSource> source;
};

// Where a container's changes go: see SnapshotUpper. All three lie on one file system.
struct UpperFolders {
  fs::path fs;       // the layer
  fs::path work;     // overlayfs' own
  fs::path scratch;  // what is thrown away
};

// One container that runs to its end. Names are resolved by the caller: ids are numbers, the working directory exists,
// mount targets and paths are absolute.
struct RunRequest {
  std::vector<fs::path> lowers;  // snapshot folders, from the bottom; none: an empty root
  UpperFolders upper;

  std::vector<std::string> argv;
  std::vector<std::string> env;  // "K=V": what the step itself says
  std::string working_dir = "/";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string hostname = "buildkitsandbox";  // as under BuildKit, since commands write it into files
  std::string stdin_bytes;
  bool terminal = false;  // a pseudoterminal for its input and both outputs: see run_on_terminal()

  std::vector<RunMount> mounts;  // in order: a later one may lie in an earlier one
  RunNetwork network = RunNetwork::host;
  RunSecurity security = RunSecurity::sandbox;
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, address
  std::vector<RunLimit> limits;
  std::uint64_t shm_bytes = std::uint64_t{64} << 20;

  // What the machine adds and nothing records: apart from `env`, so that no key and no history ever sees it.
  BuildTrust trust;
  std::vector<std::string> proxies;  // "K=V", see host_proxies()

  // Of RunNetwork::recorded: called once, before the command is started.
  std::function<void(NamespaceSockets)> on_network;
};

struct RunResult {
  int exit_code = 0;          // 128 + signal where its first process was killed by one
  std::optional<int> signal;  // what an exit code above 128 means: of that process or, by a shell's habit, of one below
  double seconds = 0;         // of the container, starting it included
  bool out_of_memory = false;         // it failed, and the kernel killed for want of memory meanwhile
  std::vector<std::string> warnings;  // what could not be had as it was asked for: "ulimit nofile ..."
};

}  // namespace kiln
