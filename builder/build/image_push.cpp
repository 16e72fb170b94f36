#include "builder/build/image_push.hpp"

#include <fmt/format.h>

#include <map>
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

  BlobSources sources() const {
    BlobSources result;
    for (const auto& [blob, place] : places) result.emplace(blob, place.name());
    return result;
  }

  std::string origin(const oci::Digest& blob) const {
    const auto layer = layers.find(blob);
    if (layer == layers.end() || layer->second->line == 0) return "";
    return fmt::format("{}:{}", layer->second->file, layer->second->line);
  }
};

}  // namespace

std::vector<std::optional<Error>> ImagePush::push(const std::vector<PushedImages>& pushed) {
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
  std::vector<std::optional<Error>> errors(pushed.size());
  if (shop_.settings().offline) {
    remember_all(requests, blobs.sources());
    return errors;
  }
  check_layers(pushed);
  RemoteSession& remote = shop_.remote().get();
  for (const auto& [blob, place] : blobs.places) remote.locations().add(blob, place);
  PushOptions options;
  options.early = shop_.early_push();
  options.fetch = [&](const oci::Descriptor& blob) {
    return blobs.layers.count(blob.digest) > 0 && shop_.layers().fetch_for_push(blob);
  };
  options.origin = [&](const oci::Digest& blob) { return blobs.origin(blob); };
  TransferTasks tasks(shop_.recorder(), [this] { return shop_.recorder().new_number(); });
  const auto outcomes = push_images(remote, shop_.store(), requests, options, &tasks);
  if (const std::size_t remembered = remember_outcomes(shop_.store(), requests, outcomes, blobs.sources()))
    shop_.recorder().warn(remembered_note(remembered));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].error) errors[numbers[i]] = *outcomes[i].error;
  }
  return errors;
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
