#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "builder/run/cache_mounts.hpp"
#include "builder/run/container_runner.hpp"
#include "builder/run/run_request.hpp"
#include "builder/run/shared_mounts.hpp"
#include "builder/steps/events.hpp"
#include "builder/steps/failed_run.hpp"
#include "builder/steps/layer_access.hpp"
#include "builder/steps/run_command.hpp"
#include "builder/steps/run_recording.hpp"
#include "builder/steps/ssh_agent.hpp"
#include "builder/steps/step.hpp"
#include "builder/steps/work_slots.hpp"

namespace kiln {

// Executes RUN steps: mounts, the container, and what it wrote as the layer. Any thread.
class RunSteps {
 public:
  // `shared` may be null: cache mounts stay on this machine. All are borrowed.
  RunSteps(LayerAccess& access, ContainerRunner& runner, BuildObserver& observer, RunSettings settings,
           SharedMounts* shared = nullptr);

  // Saves the cache mounts that were used to the shared cache.
  void share_mounts();

  // The RUN on these layers as a step: kind, key, inputs and what executes it. `text` is the instruction's. Reads what
  // mounts select, runs nothing. Executing it: Error{build} with the last lines of output as detail where the command
  // fails.
  Step step(RunCommand command, ImageLayers below, const std::string& text);

  // The first command that failed, where it was to be kept; once.
  std::unique_ptr<FailedRun> take_failed();

 private:
  // One execution of a step.
  struct Execution {
    std::string text;  // of the instruction
    int number = 0;
    const LayerMade& made;
    std::optional<NetworkRecord>& network;
  };
  OrBlocked<std::vector<LayerValue>> execute(const RunCommand& command, const ImageLayers& below,
                                             const Execution& execution);
  // What the mounts of one container hold on to while it runs.
  struct Held;
  void add_mount(RunRequest& request, const RunCommand& command, const ResolvedMount& mount, Held& held);
  WantedCacheMount wanted_cache(const ResolvedMount& mount, const std::string& step);
  void take_caches(RunRequest& request, const RunCommand& command, Held& held);
  CacheMountName cache_name(const dockerfile::Mount& mount) const;
  BindSource bind_source(const CopySource& source, const std::string& path, Held& held);
  fs::path agent_of(const SshForward& ssh);
  void run_command(const RunCommand& command, const RunRequest& request, int number,
                   std::optional<NetworkRecord>& network);
  RecordedRun end_recording(RunRecording& recording, const RunCommand& command, bool has_failed);
  void announce_trust();
  LayerValue layer_of(const SnapshotUpper& upper, const RunCommand& command, const MergedView& below);

  LayerAccess& access_;
  ContainerRunner& runner_;
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
