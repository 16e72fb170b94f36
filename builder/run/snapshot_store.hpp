#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/file_lock.hpp"
#include "base/thread_pool.hpp"
#include "base/work_ahead.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/unpack.hpp"
#include "builder/run/run_request.hpp"
#include "registry/oci/digest.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// The files of layers on disk, each in a folder of its own that overlayfs takes as a lower directory. What a folder
// holds depends on the layers below (parents that the layer does not name, hard links into them), so it belongs to a
// chain ID.
//
// Below snapshots/, version 1:
//
//   N/fs        the layer's files; overlay's whiteouts and opaque marks in them
//   N/lock      flock'd shared by who uses the snapshot, exclusively by who makes or removes it
//   N/meta      "kiln snapshot 1\nchain DIGEST\nboot UUID\nkind trusted|user|plain\n"; written when fs is whole
//   N/synced    exists where all of N/fs reached the disk
//   N/checked   the boot in which N/fs was last held against the layer's index
//   N/bytes     the disk space it takes, once somebody asked
//   N/work, N/scratch   of a container's upper folder, until it is adopted
//   chains/HEX  a symbolic link "N"
//   next        the number to try next
//
// A snapshot of an earlier boot without N/synced may be damaged: it is made again. So is one of another kind: root's
// overlay reads trusted.*, a user namespace's user.*, and "plain" ones (owners cannot be set) have lost their
// owners. One without meta that is not locked was left by a kiln that died, and is removed.
//
// The first use in a boot holds a snapshot against its layer's index (snapshot_check.hpp): one that was changed or
// damaged loses its meta, and is made again.

// How many layers' blobs are fetched at once while the first of them are unpacked.
inline constexpr std::size_t kBlobsAhead = 3;

// A layer whose files are wanted.
struct SnapshotLayer {
  oci::Digest diff_id;
  std::shared_ptr<const FileIndex> index;
  // A blob of it that is in the store, nullopt where there is none; only asked where it must be unpacked.
  std::function<std::optional<oci::Descriptor>()> blob;
};

// Snapshots in use, from the bottom. No prune removes them while this value, or a copy of it, lives.
class SnapshotChain {
 public:
  SnapshotChain() = default;

  const std::vector<fs::path>& folders() const noexcept { return folders_; }
  // Of all its layers; empty for none.
  const oci::Digest& chain_id() const noexcept { return chain_id_; }

 private:
  friend class SnapshotStore;
  struct Held;
  std::vector<fs::path> folders_;
  std::vector<std::shared_ptr<Held>> held_;
  oci::Digest chain_id_;
};

// Where a container writes: a snapshot on its way. Removed with all it holds at the end unless SnapshotStore::adopt()
// takes it. Move-only.
class SnapshotUpper {
 public:
  SnapshotUpper(SnapshotUpper&&) noexcept;
  SnapshotUpper& operator=(SnapshotUpper&&) noexcept;
  ~SnapshotUpper();

  const UpperFolders& folders() const noexcept { return folders_; }

 private:
  friend class SnapshotStore;
  SnapshotUpper(fs::path folder, FileLock lock);
  void discard() noexcept;
  fs::path folder_;  // empty: adopted or moved from
  UpperFolders folders_;
  std::optional<FileLock> lock_;
};

class GrowingSnapshot;

struct SnapshotInfo {
  std::uint64_t number = 0;
  oci::Digest chain_id;
  std::uint64_t bytes = 0;  // on disk
  UnixSeconds last_used = 0;
  bool in_use = false;  // by any process, this one too
};

// Any thread, and any number of processes on one store.
class SnapshotStore {
 public:
  // Hears, by any thread, which snapshots were found damaged.
  using DamageHeard = std::function<void(const std::string&)>;

  SnapshotStore(ContentStore& store, ThreadPool& pool, DamageHeard heard = {});

  // The folders of a chain of layers, from the bottom; made where they are missing, each by one process while the
  // others wait. nullopt where a layer must be unpacked that has no blob.
  std::optional<SnapshotChain> try_ensure(const std::vector<SnapshotLayer>& layers, const CancelToken& cancel);

  // An empty upper folder for a container.
  SnapshotUpper begin_upper();
  // Makes what a container wrote the snapshot of the layer it became: the folder is taken as it is. It must be
  // unmounted. Where the chain has a snapshot already, that one stays.
  void adopt(SnapshotUpper upper, const oci::Digest& chain_id);

  // A snapshot of a layer whose tar is about to come. `lower` as for unpacking; its folders must stay for as long as it
  // grows.
  std::unique_ptr<GrowingSnapshot> begin_growing(LowerLayers lower, const CancelToken& cancel);
  // The same for one that got all of its layer: waits until it is whole. Where it could not be unpacked there is none,
  // and try_ensure() tries once more.
  void adopt(std::unique_ptr<GrowingSnapshot> snapshot, const oci::Digest& chain_id);
  // Whether a chain has a snapshot.
  bool has(const oci::Digest& chain_id) { return find(chain_id) != nullptr; }

  // Marks what was made at least `settled` ago, by any process, as being on the disk: one syncfs, which by then finds
  // little to write. What has no mark is made again after the next boot.
  void mark_settled(std::chrono::seconds settled);

  // How overlayfs mounts of this process read whiteouts.
  OverlayXattrs overlay_xattrs() const noexcept { return xattrs_; }

  std::vector<SnapshotInfo> disk_usage();
  // Removes what is not in use and `keep` does not want, and what dead processes left. Returns the bytes that were
  // freed.
  std::uint64_t prune(const std::function<bool(const SnapshotInfo&)>& keep);

 private:
  enum class Kind { trusted, user, plain };
  using Held = std::shared_ptr<SnapshotChain::Held>;

  std::string_view kind_text() const;
  UnpackOptions unpack_options() const;
  // A whole snapshot of this chain, held; nullptr where there is none that may be used.
  Held find(const oci::Digest& chain_id);
  // The same, held against the layer's index where it was not in this boot.
  Held find_checked(const oci::Digest& chain_id, const SnapshotLayer& layer, const CancelToken& cancel);
  bool is_usable(const fs::path& folder, const oci::Digest& chain_id) const;
  // nullptr where the layer has no blob.
  Held make(const oci::Digest& chain_id, const SnapshotLayer& layer, const LowerLayers& lower,
            const CancelToken& cancel);
  // What fetches the blobs of the layers, upwards from a chain, that have no snapshot yet.
  void fetch_above(WorkAhead& ahead, oci::Digest chain_id, std::span<const SnapshotLayer> layers);
  // Makes a folder whose fs is whole the snapshot of a chain, and keeps it in use.
  Held publish(SnapshotUpper snapshot, const oci::Digest& chain_id);
  Held hold(const fs::path& folder, FileLock lock);
  FileLock lock_chain(const oci::Digest& chain_id, const CancelToken& cancel) const;
  // Takes folders that are not locked and `wanted` does not want away, and removes them.
  std::uint64_t remove_unused(const std::function<bool(const fs::path&)>& wanted);

  ContentStore& store_;
  ThreadPool& pool_;
  DamageHeard damage_heard_;
  fs::path top_;
  Kind kind_;
  OverlayXattrs xattrs_;
  std::mutex mutex_;  // for what is below
  std::map<fs::path, std::weak_ptr<SnapshotChain::Held>> held_;
  bool leftovers_removed_ = false;
};

}  // namespace kiln
