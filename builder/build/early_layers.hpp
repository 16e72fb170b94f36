#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "builder/build/transfer_tasks.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/definitions/output.hpp"
#include "builder/definitions/target_spec.hpp"
#include "builder/report/recorder.hpp"
#include "builder/steps/layer_blobs.hpp"
#include "builder/steps/step.hpp"
#include "registry/remote/early_push.hpp"

namespace kiln {

// The first place that a target's image is pushed to, and the form its layers have there.
struct EarlyTarget {
  std::string name;  // a reference
  Compression compression;
};

// By the first of the outputs that pushes; nullopt where none does. `names` are those of the target.
std::optional<EarlyTarget> early_target(const TargetSpec& target, const std::vector<Output>& outputs,
                                        const std::vector<std::string>& names);

// What to leave out, since it goes to the same registry another way.
enum class CacheWriting {
  at_the_end,    // after the push, which the cache mounts from
  by_each_step,  // while later steps run: the push mounts from the cache
};

// What early layers are sent with. Everything is borrowed; `cache` may be null.
struct EarlyMeans {
  LazyRemote& remote;
  const ContentStore& store;
  const SharedCache* cache;
  CacheWriting writing;
};

// Sends the layers that steps of images make while later steps run. A listener of the StepExecutor; any thread.
class EarlyLayers {
 public:
  // `targets` by their name. The recorder is borrowed.
  EarlyLayers(std::map<std::string, EarlyTarget> targets, const EarlyMeans& means, Recorder& recorder)
      : targets_(std::move(targets)), means_(means), tasks_(recorder, [&recorder] { return recorder.new_number(); }) {}

  void made(const Step& step, const std::vector<LayerValue>& layers);

  // For the push that follows; nullptr where nothing was made that could go early.
  EarlyPush* push();

 private:
  bool goes_by_the_cache(const RemoteRepository& place) const;

  std::map<std::string, EarlyTarget> targets_;
  EarlyMeans means_;
  TransferTasks tasks_;
  std::mutex mutex_;
  std::unique_ptr<EarlyPush> push_;  // last: its threads end before what they use
};

}  // namespace kiln
