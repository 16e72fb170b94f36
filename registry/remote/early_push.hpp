#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "base/thread_pool.hpp"
#include "registry/remote/blob_push.hpp"

namespace kiln {

// Sends blobs to registries while the images that will name them are still being built, at most two at once, so that
// the push (PushOptions::early) has less to do. No manifest and no tag goes this way.
//
// Nothing here is an error: what would be refused (ghcr.io's limits) is not sent, and a registry that fails once is
// left alone from then on; the push meets the same fault again and says it. Each blob goes to a registry once, to the
// repository it was added for first. Any thread.
class EarlyPush {
 public:
  // Borrows everything; `observer` may be null. A transfer that fails is shown as deferred.
  EarlyPush(RemoteSession& session, const ContentStore& store, TransferObserver* observer);
  // Begins nothing more and waits for what is under way. For a prompt end the session's token is fired before.
  ~EarlyPush();

  // A blob of the store. Returns at once.
  void add(const RemoteRepository& place, const oci::Descriptor& blob);
  // The push has begun: what was not begun yet is left to it.
  void hand_over();

  // Whether the blob is known to be in the repository by what was done here.
  bool has(const RemoteRepository& place, const oci::Digest& blob) const;
  // Where the blob is on its way to the registry, `next` is called once that has ended, however it did. False, and it
  // is never called, where it is not.
  bool when_ended(const Endpoint& registry, const oci::Digest& blob, std::function<void()> next);

 private:
  using Key = std::pair<Endpoint, oci::Digest>;
  enum class State { waiting, under_way, there, left_to_push };
  struct Entry {
    RemoteRepository place;
    oci::Descriptor blob;
    State state = State::waiting;
    std::vector<std::function<void()>> next;
  };

  void run(const Key& key);
  State deal_with(const RemoteRepository& place, const oci::Descriptor& blob);

  RemoteSession& session_;
  BlobPush blobs_;
  mutable std::mutex mutex_;
  bool is_handed_over_ = false;
  std::set<Endpoint> failed_;
  std::map<Key, Entry> entries_;
  std::unique_ptr<ThreadPool> pool_;  // since the first blob; last: its threads end before what they use
};

}  // namespace kiln
