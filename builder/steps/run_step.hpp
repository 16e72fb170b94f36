#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/dockerfile/mount.hpp"
#include "builder/plan/build_target.hpp"
#include "builder/run/cache_mounts.hpp"
#include "builder/run/run_request.hpp"
#include "builder/run/runner.hpp"
#include "builder/run/shared_mounts.hpp"
#include "builder/steps/copy_source.hpp"
#include "builder/steps/events.hpp"
#include "builder/steps/failed_run.hpp"
#include "builder/steps/image_layers.hpp"
#include "builder/steps/ssh_agent.hpp"
#include "builder/steps/users.hpp"
#include "builder/steps/work_slots.hpp"

namespace kiln {

struct RawInput;

// A mount of a RUN whose source has been found.
struct ResolvedMount {
  dockerfile::Mount options;
  std::shared_ptr<CopySource> source;  // bind, and cache with from=
};

// A file that only the command sees: the script of a heredoc with an interpreter of its own.
struct ScriptFile {
  std::string path;
  std::string text;
};

// Fills in what options leave open, as BuildKit does: a secret is /run/secrets/ID unless it goes to the environment
// alone, its ID may be its target's last part; agents are "default", at /run/buildkit/ssh_agent.N. Error{usage} where a
// secret has no ID.
void complete_mounts(std::vector<ResolvedMount>& mounts);

// A RUN, everything expanded and looked up.
struct RunCommand {
  std::vector<std::string> argv;
  std::optional<ScriptFile> script;
  std::vector<std::string> env;        // "K=V", without proxies
  std::set<std::string> args;          // which of them are ARGs, not ENV
  std::set<std::string> profile_keys;  // which of those a machine profile gave
  std::vector<std::string> proxies;    // "K=V", from build args
  std::string working_dir = "/";
  ResolvedUser user;
  std::vector<ResolvedMount> mounts;
  RunNetwork network = RunNetwork::host;
  RunSecurity security = RunSecurity::sandbox;
  oci::Platform platform;
  std::vector<std::string> shell;  // what a person gets where the command fails
  Compression compression;         // of the layer; not part of the key
  const std::vector<SecretSource>* secrets = nullptr;
  const std::vector<SshForward>* ssh = nullptr;
};

struct RunSettings {
  BuildTrust trust;
  std::vector<std::string> host_proxies;                         // "K=V"
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, address
  std::vector<RunLimit> limits;
  bool allow_insecure = false;  // --allow security.insecure
  std::uint64_t shm_bytes = std::uint64_t{64} << 20;
  bool keep_failed = false;                  // what a failed command left stays for take_failed()
  std::optional<UnixSeconds> rewrite_times;  // rewrite-timestamp=true: no file of a RUN's layer is newer
};

// Executes RUN steps: mounts, the container, and what it wrote as the layer. Any thread.
class RunSteps {
 public:
  // `shared` may be null: cache mounts stay on this machine. All are borrowed.
  RunSteps(LayerAccess& access, Runner& runner, BuildObserver& observer, RunSettings settings, std::size_t parallel,
           SharedMounts* shared = nullptr);

  // Saves the cache mounts that were used to the shared cache.
  void share_mounts();

  // The step's key, and the inputs that explain a miss. Reads what mounts select, runs nothing.
  std::string key_of(const RunCommand& command, const ImageLayers& below, std::vector<RawInput>& inputs) const;
  // `step` is the instruction's text. Error{build} with the last lines of output as detail where the command fails.
  OrBlocked<std::vector<LayerValue>> execute(const RunCommand& command, const ImageLayers& below,
                                             const std::string& step, int number);

  // The first command that failed, where it was to be kept; once.
  std::unique_ptr<FailedRun> take_failed();

 private:
  // What the mounts of one container hold on to while it runs.
  struct Held;
  void add_mount(RunRequest& request, const RunCommand& command, const ResolvedMount& mount, Held& held);
  BindSource bind_source(const CopySource& source, const std::string& path, Held& held);
  fs::path agent_of(const SshForward& ssh);
  void run_command(const RunCommand& command, const RunRequest& request, int number);
  void announce_trust();
  LayerValue layer_of(const SnapshotUpper& upper, const RunCommand& command, const MergedView& below);

  LayerAccess& access_;
  Runner& runner_;
  BuildObserver& observer_;
  RunSettings settings_;
  CacheMounts caches_;
  SharedMounts* shared_;
  WorkSlots slots_;
  std::atomic<bool> trust_announced_{false};
  std::mutex failed_mutex_;
  std::unique_ptr<FailedRun> failed_;
  std::mutex agents_mutex_;
  std::map<std::string, std::unique_ptr<SshAgent>> agents_;  // of --ssh ID=KEY
};

}  // namespace kiln
