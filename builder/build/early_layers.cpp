#include "builder/build/early_layers.hpp"

#include <algorithm>

namespace kiln {

std::optional<EarlyTarget> early_target(const TargetSpec& target, const std::vector<Output>& outputs,
                                        const std::vector<std::string>& names) {
  for (const Output& output : outputs) {
    if (!output.push) continue;
    const std::vector<std::string>& from = names.empty() ? output.names : names;
    if (!from.empty()) return EarlyTarget{from.front(), output.compression.value_or(target.layer_compression())};
  }
  return std::nullopt;
}

void EarlyLayers::made(const Step& step, const std::vector<LayerValue>& layers) {
  const auto target = targets_.find(step.view.target);
  // A Debian base is made once for all stages that are built on it: it may be of none that the image ends in.
  if (target == targets_.end() || !step.is_of_image || step.kind == StepKind::debian) return;
  try {
    RemoteSession& remote = means_.remote.get();
    const RemoteRepository place = remote.repository_of(oci::Reference::parse(target->second.name));
    if (goes_by_the_cache(place)) return;
    const std::lock_guard lock(mutex_);
    if (!push_) push_ = std::make_unique<EarlyPush>(remote, means_.store, &tasks_);
    for (const LayerValue& layer : layers) {
      const LayerBlob* blob = layer.blob_of(target->second.compression);
      if (!blob) continue;
      const auto cached = means_.cache ? means_.cache->repository_of(blob->descriptor.digest) : std::nullopt;
      if (cached) remote.locations().add(blob->descriptor.digest, *cached);
      push_->add(place, blob->descriptor);
    }
  } catch (const Error&) {
    // The push at the end meets it again.
  }
}

EarlyPush* EarlyLayers::push() {
  const std::lock_guard lock(mutex_);
  return push_.get();
}

bool EarlyLayers::goes_by_the_cache(const RemoteRepository& place) const {
  if (!means_.cache || means_.writing == CacheWriting::at_the_end) return false;
  const auto written = means_.cache->written_repositories();
  return std::any_of(written.begin(), written.end(),
                     [&](const RemoteRepository& other) { return other.endpoint == place.endpoint; });
}

}  // namespace kiln
