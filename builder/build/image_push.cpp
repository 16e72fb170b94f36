#include "builder/build/image_push.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "builder/build/transfer_tasks.hpp"
#include "builder/steps/layer_claims.hpp"

namespace kiln {

namespace {

// The layers of all images by their blobs, and the repositories that those are known to be in.
struct BlobPlaces {
  std::map<oci::Digest, const ImageLayer*> layers;
  std::vector<std::pair<oci::Digest, RemoteRepository>> places;

  BlobPlaces(const std::vector<PushedImages>& pushed, SharedCache* cache) {
    for (const PushedImages& one : pushed) {
      for (const BuiltImage& built : *one.images) {
        for (const ImageLayer& layer : built.image.layers) add(layer, cache);
      }
    }
  }

  void add(const ImageLayer& layer, SharedCache* cache) {
    const oci::Digest& blob = layer.value.blobs.front().descriptor.digest;
    if (!layers.emplace(blob, &layer).second) return;
    if (layer.remote) places.emplace_back(blob, *layer.remote);
    if (const auto cached = cache ? cache->repository_of(blob) : std::nullopt) places.emplace_back(blob, *cached);
  }

  // Of the fleet's images that have the layers too: the one that an image is built on first, since it has all of them.
  std::map<oci::Digest, std::vector<RemoteRepository>> likely(const RemoteSession& remote) const {
    std::map<oci::Digest, std::vector<RemoteRepository>> result;
    for (const auto& [blob, layer] : layers) {
      std::vector<RemoteRepository>& found = result[blob];
      for (auto name = layer->images.rbegin(); name != layer->images.rend(); ++name) {
        try {
          const RemoteRepository place = remote.repository_of(oci::Reference::parse(*name));
          if (std::find(found.begin(), found.end(), place) == found.end()) found.push_back(place);
        } catch (const Error&) {
          // Pushing there is blocked, which need not concern this image.
        }
      }
    }
    return result;
  }

  BlobSources sources() const {
    BlobSources result;
    for (const auto& [blob, place] : places) result.emplace(blob, place.name());
    return result;
  }

  // The step whose layer the blob is; nothing where it is of no step.
  Blocked step_of(const oci::Digest& blob) const {
    const auto layer = layers.find(blob);
    if (layer == layers.end() || layer->second->key.empty()) return {};
    return {{{layer->second->key, layer->second->text}}};
  }

  std::string origin(const oci::Digest& blob) const {
    const auto layer = layers.find(blob);
    if (layer == layers.end() || layer->second->line == 0) return "";
    return fmt::format("{}:{}", layer->second->file, layer->second->line);
  }
};

// Blobs that a push asked for and no place has. Any thread.
class MissingBlobs {
 public:
  void add(const oci::Digest& blob, const Blocked& why) {
    const std::lock_guard lock(mutex_);
    blobs_.insert_or_assign(blob, why);
  }
  Blocked of_image(const PushedImages& pushed, const BlobPlaces& places) const {
    const std::lock_guard lock(mutex_);
    Blocked lost;
    for (const BuiltImage& built : *pushed.images) {
      for (const ImageLayer& layer : built.image.layers) {
        const oci::Digest& blob = layer.value.blobs.front().descriptor.digest;
        const auto missing = blobs_.find(blob);
        if (missing == blobs_.end()) continue;
        lost.add(missing->second);
        lost.add(places.step_of(blob));
      }
    }
    return lost;
  }

 private:
  mutable std::mutex mutex_;
  std::map<oci::Digest, Blocked> blobs_;
};

}  // namespace

std::vector<PushEnd> ImagePush::push(const std::vector<PushedImages>& pushed) {
  const BlobPlaces blobs(pushed, shop_.caches().cache());
  std::vector<PushRequest> requests;
  std::vector<std::size_t> numbers;  // of the images, by request
  for (std::size_t i = 0; i < pushed.size(); ++i) {
    if (pushed[i].names.empty()) continue;
    PushRequest& request = requests.emplace_back();
    request.root = pushed[i].root;
    for (const std::string& name : pushed[i].names) request.targets.push_back(oci::Reference::parse(name));
    numbers.push_back(i);
  }
  std::vector<PushEnd> ends(pushed.size());
  if (shop_.settings().offline) {
    remember_all(requests, blobs.sources());
    return ends;
  }
  check_layers(pushed);
  RemoteSession& remote = shop_.remote().get();
  for (const auto& [blob, place] : blobs.places) remote.locations().add(blob, place);
  MissingBlobs missing;
  PushOptions options;
  options.early = shop_.early_push();
  options.likely_places = blobs.likely(remote);
  options.fetch = [&](const oci::Descriptor& blob) {
    const auto layer = blobs.layers.find(blob.digest);
    if (layer == blobs.layers.end()) return false;
    const OrBlocked<LayerBlob> fetched = shop_.layers().blobs().fetch_for_push(*layer->second, blob);
    if (fetched.is_blocked()) missing.add(blob.digest, fetched.blocked());
    return !fetched.is_blocked();
  };
  options.origin = [&](const oci::Digest& blob) { return blobs.origin(blob); };
  TransferTasks tasks(shop_.recorder(), [this] { return shop_.recorder().new_number(); });
  auto outcomes = push_images(remote, shop_.store(), requests, options, &tasks);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const std::vector<PushedTarget>& targets = outcomes[i].targets;
    ends[numbers[i]].is_new = std::any_of(targets.begin(), targets.end(), [](const PushedTarget& target) {
      return target.outcome != TransferOutcome::skipped;
    });
    if (!outcomes[i].error) continue;
    PushEnd& end = ends[numbers[i]];
    end.lost = missing.of_image(pushed[numbers[i]], blobs);
    if (end.lost.lost.empty()) end.error = outcomes[i].error;
    outcomes[i].error = end.error;
  }
  if (const std::size_t remembered = remember_outcomes(shop_.store(), requests, outcomes, blobs.sources()))
    shop_.recorder().warn(remembered_note(remembered));
  return ends;
}

// What is sent again of foreign images is what their configs say.
void ImagePush::check_layers(const std::vector<PushedImages>& pushed) {
  for (const PushedImages& one : pushed) {
    std::set<std::string> registries;
    for (const std::string& name : one.names) registries.insert(oci::Reference::parse(name).registry);
    if (registries.empty()) continue;
    for (const BuiltImage& built : *one.images) check_sent(shop_.layers(), built.image.layers, registries);
  }
}

void ImagePush::remember_all(const std::vector<PushRequest>& requests, const BlobSources& sources) {
  std::vector<PendingPush> pushes;
  for (const PushRequest& request : requests) {
    for (const oci::Reference& target : request.targets)
      pushes.push_back(remembered_push(shop_.store(), request.root, target, sources, "--offline"));
  }
  PendingPushes(shop_.store().home()).update({}, pushes);
  shop_.recorder().warn("--offline: " + remembered_note(pushes.size()));
}

}  // namespace kiln
