#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/steps/image_layers.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

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

// Where layers and what is known of them can be; borrowed.
struct LayerPlaces {
  ContentStore& store;
  SnapshotStore& snapshots;
  LazyRemote& remote;
  SharedCache* shared = nullptr;
};

// The blobs of layers: in the store, else from the registry of a foreign image, from a shared cache, or from where a
// push or a pull of this home saw them. What is fetched from a cache is noted as fetched for `step`, the text of an
// instruction. Any thread.
class LayerBlobs {
 public:
  LayerBlobs(const LayerPlaces& places, ThreadPool& pool, CancelToken cancel)
      : store_(places.store), remote_(places.remote), shared_(places.shared), pool_(pool), cancel_(std::move(cancel)) {}

  // One that is in the store, fetched where it is not. Blocked where it is a step's layer that no place has, and where
  // it does not hold what a record or a cache said of it; Error{machine} where a layer of no step is gone.
  OrBlocked<LayerBlob> local(const ImageLayer& layer, const std::string& step = {});
  // The same for a layer that is to be unpacked or goes out again. One of a foreign image that has not been read yet is
  // read, and must be what the image's config says, Error{network} otherwise.
  OrBlocked<LayerBlob> checked(const ImageLayer& layer, const std::string& step = {});
  // Brings a blob of a layer here for a push that lacks it; Blocked where it cannot be had, or is another one than was
  // said.
  OrBlocked<LayerBlob> fetch_for_push(const ImageLayer& layer, const oci::Descriptor& blob);
  // Nothing where a blob of the layer is here or, as far as can be told without fetching it, can be fetched.
  Blocked missing(const ImageLayer& layer);
  // Whether a blob of the layer is here and does not hold what a record or a cache said.
  bool is_false(const ImageLayer& layer);
  // A repository in which a push or a pull of this home saw the blob and which has it still; each blob is asked for
  // once. nullopt also where no registry can be asked, and for a blob that was lost.
  std::optional<RemoteRepository> at_registry(const oci::Descriptor& blob);
  // Whether no place had it that was said to, earlier in this build.
  bool was_lost(const oci::Digest& blob) const;

 private:
  // What was said of a layer, once its blob is here.
  struct Statement {
    std::mutex mutex;  // one thread reads the blob, others wait
    std::optional<std::string> problem;
  };
  OrBlocked<LayerBlob> compared(const ImageLayer& layer, const LayerBlob& blob);
  std::string false_statement_of(const ImageLayer& layer, const oci::Descriptor& blob);
  void note_lost(const ImageLayer& layer);
  bool fetch_from_registry(const oci::Descriptor& blob);
  std::optional<RemoteRepository> ask_registries(const oci::Descriptor& blob);

  ContentStore& store_;
  LazyRemote& remote_;
  SharedCache* shared_;
  ThreadPool& pool_;
  CancelToken cancel_;
  mutable std::mutex mutex_;
  std::set<oci::Digest> lost_;
  std::map<std::string, std::shared_ptr<Statement>> statements_;
  std::map<oci::Digest, std::optional<RemoteRepository>> at_registry_;
  std::set<Endpoint> unreachable_;
};

}  // namespace kiln
