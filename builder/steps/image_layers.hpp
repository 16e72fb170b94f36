#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "base/work_ahead.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/layer.hpp"
#include "builder/layer/merged_view.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/steps/events.hpp"
#include "builder/steps/or_blocked.hpp"
#include "registry/oci/platform.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// One layer of an image that is being built or reported on, and where it came from.
struct ImageLayer {
  LayerValue value;
  std::string key;   // of the step that made it; empty for a layer of a foreign base
  std::string file;  // the Dockerfile or definition
  int line = 0;      // 0 where no line made it
  std::string text;  // "COPY . /app"
  // Where its blob can be fetched from while the store does not have it.
  std::optional<RemoteRepository> remote;
  // References of the fleet's images that this one is built on and that have it too, the one it is built on last.
  std::vector<std::string> images;
  // Made by a kiln step, so it may be written again in another compression; a foreign base's layer stays as it is.
  bool is_own = true;
};

using ImageLayers = std::vector<ImageLayer>;

// The image at the bottom of a stage, for messages.
struct BaseOrigin {
  std::string reference;              // as people know it
  std::optional<oci::Digest> digest;  // of its manifest; nullopt for what has none (a Debian root file system)
  oci::Platform platform;             // as its config says

  std::string str() const;
};

std::vector<oci::Digest> diff_ids_of(const ImageLayers& layers);

// Opens sessions with registries when the first question needs one: most builds never ask.
class LazyRemote {
 public:
  using Opener = std::function<std::unique_ptr<RemoteSession>()>;
  explicit LazyRemote(Opener opener) : opener_(std::move(opener)) {}
  RemoteSession& get();
  // nullptr where no question was asked.
  RemoteSession* opened();

 private:
  Opener opener_;
  std::mutex mutex_;
  std::unique_ptr<RemoteSession> session_;
};

[[noreturn]] void refuse_lost(const Blocked& blocked);
// What is needed of layers that were found to be there: Error{machine} where one is gone meanwhile.
template <class Value>
Value still_there(OrBlocked<Value> value) {
  if (value.is_blocked()) refuse_lost(value.blocked());
  return std::move(value).value();
}

// The key under which a shared cache has the file index of a layer that no kiln made: what its blob was verified to
// hold.
std::string foreign_layer_key(const oci::Digest& blob, const oci::Digest& diff_id);

// Where layers and what is known of them can be; borrowed.
struct LayerPlaces {
  ContentStore& store;
  SnapshotStore& snapshots;
  LazyRemote& remote;
  SharedCache* shared = nullptr;
};

// Everything that can be asked about layers, with the least effort that answers it: their indexes (from the store, else
// from the shared cache, else by reading the blob, else by downloading it), their merged view, their files on disk. Any
// thread.
class LayerAccess {
 public:
  LayerAccess(const LayerPlaces& places, ThreadPool& pool, CancelToken cancel)
      : store_(places.store),
        pool_(pool),
        snapshots_(places.snapshots),
        remote_(places.remote),
        shared_(places.shared),
        indexes_(places.store),
        cancel_(std::move(cancel)) {}

  // Whether the layers' files will be wanted as well: then a layer whose blob must be read for its index is unpacked by
  // the way.
  enum class Files { later, soon };

  // Each of these is blocked where it needs the blob of a step's layer that no place has. What is fetched is noted as
  // fetched for `step`, the text of an instruction.
  OrBlocked<std::shared_ptr<const FileIndex>> index(const ImageLayer& layer, const std::string& step = {});
  OrBlocked<MergedView> view(const ImageLayers& layers, Files files = Files::later, const std::string& step = {});
  // A blob of the layer that is in the store, fetched where it is not. Error{machine} where it was no step's.
  OrBlocked<LayerBlob> local_blob(const ImageLayer& layer, const std::string& step = {});
  // The layers' folders on disk, bottom to top, kept from a garbage collector for as long as the value lives.
  OrBlocked<SnapshotChain> folders(const ImageLayers& layers, const std::string& step = {});

  // Brings a blob of a step's layer here for a push that lacks it; false where it cannot be had.
  bool fetch_for_push(const oci::Descriptor& blob);
  // Whether a blob of the layer is here or, as far as can be told without fetching it, can be fetched.
  bool can_be_had(const ImageLayer& layer);
  // The folder of a layer that is about to be written on top of these, and its end: the layer is whole.
  std::unique_ptr<GrowingSnapshot> begin_folder(const MergedView& below);
  void end_folder(std::unique_ptr<GrowingSnapshot> folder, const ImageLayers& below, const oci::Digest& diff_id);

  // The first bytes of a layer's file as somebody read them before ("" where it has no such file), so that the images
  // of a fleet inflate a layer that they share once.
  std::optional<std::string> known_head(const oci::Digest& diff_id, const std::string& path) const;
  void remember_head(const oci::Digest& diff_id, const std::string& path, std::string head);

  // Foreign layers whose file index was used, by foreign_layer_key(): for shared caches.
  std::map<std::string, LayerValue> foreign_layers() const;

  ContentStore& store() noexcept { return store_; }
  ThreadPool& pool() noexcept { return pool_; }
  RemoteSession& remote() { return remote_.get(); }
  SnapshotStore& snapshots() noexcept { return snapshots_; }
  const CancelToken& cancel() const noexcept { return cancel_; }

 private:
  std::shared_ptr<const FileIndex> known_index(const ImageLayer& layer, const std::string& step);
  OrBlocked<std::shared_ptr<const FileIndex>> read_index(const ImageLayer& layer, const std::string& step,
                                                         const TarListener& listener = {},
                                                         std::uint64_t* read = nullptr);
  OrBlocked<std::shared_ptr<const FileIndex>> unpack_and_index(const ImageLayers& layers, std::size_t number,
                                                               MergedView below, const std::string& step);
  void fetch_above(WorkAhead& ahead, const ImageLayers& layers, std::size_t number, const std::string& step);
  std::shared_ptr<const FileIndex> shared_index(const ImageLayer& layer, const std::string& step);
  std::shared_ptr<const FileIndex> checked_index(const oci::Descriptor& index, const oci::Digest& diff_id,
                                                 const std::string& step);
  void note_foreign(const ImageLayer& layer, const oci::Descriptor& index);
  void fetch_indexes(const ImageLayers& layers, const std::string& step);

  ContentStore& store_;
  ThreadPool& pool_;
  SnapshotStore& snapshots_;
  LazyRemote& remote_;
  SharedCache* shared_;
  mutable std::mutex mutex_;
  std::map<std::string, LayerValue> foreign_;
  std::map<std::pair<oci::Digest, std::string>, std::string> heads_;
  IndexCache indexes_;
  CancelToken cancel_;
};

}  // namespace kiln
