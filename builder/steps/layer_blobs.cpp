#include "builder/steps/layer_blobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "builder/layer/index_layer.hpp"
#include "registry/remote/pull.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/store/remembered_layers.hpp"

namespace kiln {

RemoteSession& LazyRemote::get() {
  const std::lock_guard lock(mutex_);
  if (!session_) session_ = opener_();
  return *session_;
}

RemoteSession* LazyRemote::opened() {
  const std::lock_guard lock(mutex_);
  return session_.get();
}

bool LayerBlobs::was_lost(const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  return lost_.count(blob) > 0;
}

void LayerBlobs::note_lost(const ImageLayer& layer) {
  const std::lock_guard lock(mutex_);
  for (const LayerBlob& blob : layer.value.blobs) lost_.insert(blob.descriptor.digest);
}

bool LayerBlobs::fetch_for_push(const oci::Descriptor& blob) {
  if (shared_ && shared_->fetch_blob(blob, store_, FetchedKind::layer, "push")) return true;
  const std::lock_guard lock(mutex_);
  lost_.insert(blob.digest);
  return false;
}

std::optional<RemoteRepository> LayerBlobs::at_registry(const oci::Descriptor& blob) {
  {
    const std::lock_guard lock(mutex_);
    if (lost_.count(blob.digest)) return std::nullopt;
    if (const auto known = at_registry_.find(blob.digest); known != at_registry_.end()) return known->second;
  }
  const std::optional<RemoteRepository> found = ask_registries(blob);
  const std::lock_guard lock(mutex_);
  return at_registry_.insert_or_assign(blob.digest, found).first->second;
}

std::optional<RemoteRepository> LayerBlobs::ask_registries(const oci::Descriptor& blob) {
  for (const std::string& name : seen_places(store_, blob.digest)) {
    std::optional<RemoteRepository> place;
    try {
      RemoteSession& remote = remote_.get();
      place = remote.repository_of(oci::Reference::parse(name));
      {
        const std::lock_guard lock(mutex_);
        if (unreachable_.count(place->endpoint)) continue;
      }
      if (!remote.client(place->endpoint).find_blob(place->repository, blob.digest).matches(blob)) continue;
      remote.locations().add(blob.digest, *place);
      return place;
    } catch (const Error& error) {
      // It only spares work: what is not found here is made.
      if (error.category() == Category::cancelled) throw;
      const std::lock_guard lock(mutex_);
      if (place) unreachable_.insert(place->endpoint);
    }
  }
  return std::nullopt;
}

bool LayerBlobs::fetch_from_registry(const oci::Descriptor& blob) {
  const auto place = at_registry(blob);
  if (!place) return false;
  try {
    fetch_blob(remote_.get(), store_, blob, place);
    return true;
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    return false;
  }
}

bool LayerBlobs::can_be_had(const ImageLayer& layer) {
  if (layer.remote || layer.key.empty()) return true;
  const bool can = std::any_of(layer.value.blobs.begin(), layer.value.blobs.end(), [&](const LayerBlob& blob) {
    store_.lease(blob.descriptor.digest);
    return store_.has(blob.descriptor.digest) || (shared_ && shared_->has_blob(blob.descriptor)) ||
           at_registry(blob.descriptor);
  });
  if (!can) note_lost(layer);
  return can;
}

OrBlocked<LayerBlob> LayerBlobs::local(const ImageLayer& layer, const std::string& step) {
  for (const LayerBlob& blob : layer.value.blobs) {
    store_.lease(blob.descriptor.digest);
    if (store_.has(blob.descriptor.digest)) return blob;
  }
  if (layer.value.blobs.empty()) {
    throw Error(Category::machine, fmt::format("layer '{}': no blob of it is known", layer.value.diff_id.str()));
  }
  const LayerBlob& first = layer.value.blobs.front();
  if (layer.remote) {
    with_context(
        [&] { return fmt::format("while fetching layer '{}' of '{}'", first.descriptor.digest.str(), layer.text); },
        [&] { fetch_blob(remote_.get(), store_, first.descriptor, layer.remote); });
    return first;
  }
  if (!layer.key.empty()) {
    for (const LayerBlob& blob : layer.value.blobs) {
      if (shared_ && shared_->fetch_blob(blob.descriptor, store_, FetchedKind::layer, step)) return blob;
      if (fetch_from_registry(blob.descriptor)) return blob;
    }
    note_lost(layer);
    return Blocked{{{layer.key, layer.text}}};
  }
  throw Error(Category::machine, fmt::format("layer blob '{}' is not in the store; run 'kiln cache verify'",
                                             first.descriptor.digest.str()));
}

OrBlocked<LayerBlob> LayerBlobs::checked(const ImageLayer& layer, const std::string& step) {
  OrBlocked<LayerBlob> blob = local(layer, step);
  if (layer.is_own || blob.is_blocked()) return blob;
  LayerBlob found = std::move(blob).value();
  index_layer(store_, pool_, found.descriptor, layer.value.diff_id, cancel_);
  return found;
}

}  // namespace kiln
