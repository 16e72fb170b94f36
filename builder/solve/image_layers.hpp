#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/layer.hpp"
#include "builder/layer/merged_view.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/solve/events.hpp"
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
  // Made by a kiln step, so it may be written again in another compression; a foreign base's layer stays as it is.
  bool is_own = true;
};

using ImageLayers = std::vector<ImageLayer>;

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

// Everything that can be asked about layers, with the least effort that answers it: their indexes (from the store, else by
// reading the blob, else by downloading it), their merged view, their files on disk. Any thread.
class LayerAccess {
 public:
  LayerAccess(ContentStore& store, ThreadPool& pool, SnapshotStore& snapshots, LazyRemote& remote, CancelToken cancel)
      : store_(store), pool_(pool), snapshots_(snapshots), remote_(remote), indexes_(store), cancel_(std::move(cancel)) {}

  std::shared_ptr<const FileIndex> index(const ImageLayer& layer);
  MergedView view(const ImageLayers& layers);
  // A blob of the layer that is in the store, fetched where it is not.
  LayerBlob local_blob(const ImageLayer& layer);
  // The layers' folders on disk, bottom to top, kept from a garbage collector for as long as the value lives.
  SnapshotChain folders(const ImageLayers& layers);

  ContentStore& store() noexcept { return store_; }
  ThreadPool& pool() noexcept { return pool_; }
  RemoteSession& remote() { return remote_.get(); }
  SnapshotStore& snapshots() noexcept { return snapshots_; }
  const CancelToken& cancel() const noexcept { return cancel_; }

 private:
  ContentStore& store_;
  ThreadPool& pool_;
  SnapshotStore& snapshots_;
  LazyRemote& remote_;
  IndexCache indexes_;
  CancelToken cancel_;
};

}  // namespace kiln
