#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/dockerfile/mount.hpp"
#include "builder/plan/build_target.hpp"
#include "builder/solve/copy_source.hpp"
#include "builder/solve/image_layers.hpp"
#include "builder/solve/step_executor.hpp"
#include "builder/solve/users.hpp"
#include "builder/solve/work_slots.hpp"

namespace kiln {

class Runner;

// A mount of a RUN whose source has been found.
struct ResolvedMount {
  dockerfile::Mount options;
  std::shared_ptr<CopySource> source;  // bind, and cache with from=
};

// A RUN, everything expanded and looked up.
struct RunCommand {
  std::vector<std::string> argv;
  std::vector<std::string> heredocs;      // texts, for the key; the shell reads them from argv
  std::vector<std::string> env;           // "K=V", without proxies
  std::vector<std::string> proxies;       // "K=V"
  std::string working_dir = "/";
  ResolvedUser user;
  std::vector<ResolvedMount> mounts;
  std::string network;                    // "host" or "none"
  std::string security;                   // "sandbox", "insecure", "hardened"
  oci::Platform platform;
};

struct RunSettings {
  std::vector<SecretSource> secrets;
  std::vector<SshSource> ssh;
  std::string ca_bundle;                  // --ca-bundle: FILE, "host", "none", or empty for the rule
  std::vector<std::string> extra_hosts;   // "name:address"
  std::vector<std::string> ulimits;
  std::optional<std::uint64_t> shm_bytes;
  std::optional<UnixSeconds> rewrite_times;  // rewrite-timestamp=true: no file of a RUN's layer is newer
};

// Executes RUN steps: mounts, container, and its upper folder as the layer. Any thread.
class RunSteps {
 public:
  RunSteps(LayerAccess& access, Runner* runner, BuildObserver& observer, RunSettings settings, std::size_t parallel);
  ~RunSteps();

  // The step's key and the inputs that explain a miss. Reads what mounts select, runs nothing.
  std::string key_of(const RunCommand& command, const ImageLayers& below, std::vector<RawInput>& inputs) const;
  // Error{build} with the last lines of output as detail where the command fails.
  std::vector<LayerValue> execute(const RunCommand& command, const ImageLayers& below, int number);

 private:
  struct Machinery;
  LayerAccess& access_;
  BuildObserver& observer_;
  RunSettings settings_;
  std::unique_ptr<Machinery> machinery_;
};

}  // namespace kiln
