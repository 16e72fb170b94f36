#include "builder/steps/layer_blobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/stated_layer.hpp"
#include "registry/remote/pull.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/store/layer_facts.hpp"
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

// A base's layer that no cache spoke of is read by checked(), against its image's config.
std::string LayerBlobs::false_statement_of(const ImageLayer& layer, const oci::Descriptor& blob) {
  StatedLayer stated{layer.value.diff_id, layer.value.unpacked_bytes, layer.value.index};
  if (layer.key.empty()) {
    if (blob_info(store_, blob.digest)) return "";
    stated.index = index_of_layer(store_, layer.value.diff_id);
    if (!stated.index) return "";
  }
  const std::string what =
      blob.digest.str() + stated.diff_id.str() + (stated.index ? stated.index->digest.str() : std::string());
  std::shared_ptr<Statement> statement;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Statement>& known = statements_[what];
    if (!known) known = std::make_shared<Statement>();
    statement = known;
  }
  const std::lock_guard lock(statement->mutex);
  if (!statement->problem) {
    std::string problem = false_statement(store_, pool_, blob, stated, cancel_);
    // That a base's blob is another layer than its config says is the image's lie and no cache's: checked() tells it.
    if (layer.key.empty()) {
      const auto read = blob_info(store_, blob.digest);
      if (!read || read->diff_id != layer.value.diff_id) problem.clear();
    }
    statement->problem = std::move(problem);
  }
  return *statement->problem;
}

OrBlocked<LayerBlob> LayerBlobs::compared(const ImageLayer& layer, const LayerBlob& blob) {
  const std::string problem = false_statement_of(layer, blob.descriptor);
  if (problem.empty()) return blob;
  if (!layer.key.empty()) note_lost(layer);
  const std::string key = statement_key(layer);
  return Blocked{{{key, layer.text}}, {{key, problem}}};
}

bool LayerBlobs::is_false(const ImageLayer& layer) {
  return std::any_of(layer.value.blobs.begin(), layer.value.blobs.end(), [&](const LayerBlob& blob) {
    return store_.has(blob.descriptor.digest) && !false_statement_of(layer, blob.descriptor).empty();
  });
}

OrBlocked<LayerBlob> LayerBlobs::fetch_for_push(const ImageLayer& layer, const oci::Descriptor& blob) {
  if (shared_ && shared_->fetch_blob(blob, store_, FetchedKind::layer, "push")) return compared(layer, {blob, {}});
  {
    const std::lock_guard lock(mutex_);
    lost_.insert(blob.digest);
  }
  return layer.key.empty() ? Blocked{} : Blocked{{{layer.key, layer.text}}};
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

Blocked LayerBlobs::missing(const ImageLayer& layer) {
  if (layer.remote || layer.key.empty()) return {};
  for (const LayerBlob& blob : layer.value.blobs) {
    store_.lease(blob.descriptor.digest);
    if (store_.has(blob.descriptor.digest)) {
      const OrBlocked<LayerBlob> here = compared(layer, blob);
      return here.is_blocked() ? here.blocked() : Blocked{};
    }
    if ((shared_ && shared_->has_blob(blob.descriptor)) || at_registry(blob.descriptor)) return {};
  }
  note_lost(layer);
  return {{{layer.key, layer.text}}};
}

OrBlocked<LayerBlob> LayerBlobs::local(const ImageLayer& layer, const std::string& step) {
  for (const LayerBlob& blob : layer.value.blobs) {
    store_.lease(blob.descriptor.digest);
    if (store_.has(blob.descriptor.digest)) return compared(layer, blob);
  }
  if (layer.value.blobs.empty()) {
    throw Error(Category::machine, fmt::format("layer '{}': no blob of it is known", layer.value.diff_id.str()));
  }
  const LayerBlob& first = layer.value.blobs.front();
  if (layer.remote) {
    with_context(
        [&] { return fmt::format("while fetching layer '{}' of '{}'", first.descriptor.digest.str(), layer.text); },
        [&] { fetch_blob(remote_.get(), store_, first.descriptor, layer.remote); });
    return compared(layer, first);
  }
  if (!layer.key.empty()) {
    for (const LayerBlob& blob : layer.value.blobs) {
      const bool is_here = (shared_ && shared_->fetch_blob(blob.descriptor, store_, FetchedKind::layer, step)) ||
                           fetch_from_registry(blob.descriptor);
      if (is_here) return compared(layer, blob);
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
