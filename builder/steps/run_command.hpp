#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "builder/definitions/target_spec.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/layer/compression.hpp"
#include "builder/run/run_request.hpp"
#include "builder/steps/copy_source.hpp"
#include "builder/steps/settled_times.hpp"
#include "builder/steps/users.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

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

// A RUN's layer is cut along packages.
struct LayerCutting {
  std::size_t limit = 0;        // of the image's layers
  std::size_t most_layers = 1;  // of this step: what is below leaves so many
  SettledTimes times;
};

// A RUN, everything expanded and looked up.
struct RunCommand {
  std::vector<std::string> argv;
  std::optional<ScriptFile> script;
  std::vector<std::string> env;        // "K=V", without proxies
  std::set<std::string> args;          // which of them are ARGs, not ENV
  std::set<std::string> profile_keys;  // which of those a machine profile set
  std::vector<std::string> proxies;    // "K=V", from build args
  std::string working_dir = "/";
  ResolvedUser user;
  std::vector<ResolvedMount> mounts;
  RunNetwork network = RunNetwork::host;
  RunSecurity security = RunSecurity::sandbox;
  oci::Platform platform;
  std::string where;                                             // "Dockerfile:7"
  std::vector<std::string> shell;                                // what a person gets where the command fails
  Compression compression;                                       // of the layer; not part of the key
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, address
  std::vector<RunLimit> limits;
  std::uint64_t shm_bytes = std::uint64_t{64} << 20;
  std::optional<UnixSeconds> rewrite_times;  // rewrite-timestamp=true: no file of its layer is newer
  std::optional<LayerCutting> cutting;
  const std::vector<SecretSource>* secrets = nullptr;
  const std::vector<SshForward>* ssh = nullptr;
  CancelToken stop;  // no cache mount is waited for any more: the build ends, or another step failed
};

struct RunSettings {
  BuildTrust trust;
  std::vector<std::string> host_proxies;      // "K=V"
  bool allow_insecure = false;                // --allow security.insecure
  bool keep_failed = false;                   // what a failed command left stays for take_failed()
  std::size_t parallel = 4;                   // commands that run at the same time
  bool network_log = false;                   // --network-log: what each RUN fetches is recorded
  std::vector<std::string> unrecorded_hosts;  // tunnelled by the recording proxy
  // A text without the values of secrets in it; the id of a cache mount is kept so.
  std::function<std::string(std::string_view)> masked = [](std::string_view text) { return std::string(text); };
};

}  // namespace kiln
