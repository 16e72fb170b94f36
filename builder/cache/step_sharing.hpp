#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/cache/step_claim.hpp"
#include "builder/cache/step_record.hpp"

namespace kiln {

// A step's entry: its record, and its blobs told apart by whether a cache of mode=min keeps the layers.
NewCacheEntry new_step_entry(const StepRecord& record,
                             const std::function<bool(const oci::Digest& layer)>& is_of_image);

struct ClaimTimes {
  double beat_seconds = 5;       // between two beats of a claim
  double patience_seconds = 20;  // without a beat: its holder is dead, the step is taken over
  double first_poll_seconds = 0.1;
  double longest_poll_seconds = 2;
  double most_seconds = 3600;  // a step is waited for no longer than this
};

// Lets machines that share a cache execute equal steps once: a machine about to execute a step says so in the cache (a
// claim, step_claim.hpp), and publishes the result as soon as it is there; the others wait for it.
//
// Caches have no compare-and-set, so a claim is taken as in Fischer's mutual exclusion: none is there; write one's
// own; wait for longer than writing took; it is still one's own. Where that goes wrong (a network with hiccups) both
// execute the step, which costs time and nothing else: the result is the same. Steps that take no time (COPY) do
// without the second look. Only beats are watched, each machine by its own clock: a holder that died costs those who
// wait patience_seconds, once.
//
// A claim that cannot be written is none: the step is executed without one. Whatever the place answers, a step is
// executed after most_seconds at the latest. A place that does not let a claim be changed or taken back (immutable
// tags) gets no more of them, since each would make others wait for nobody.
//
// Claims are written where a place of the cache is both read and written, to the one that is asked last: the one that
// most machines share. Any thread. Nothing here fails a build; Error{cancelled} alone leaves.
class StepSharing {
 public:
  // Borrows the cache and the store.
  StepSharing(SharedCache& cache, const ContentStore& store, CancelToken cancel, ClaimTimes times = {});
  // Waits for what is being published. Claims that are still held are given up.
  ~StepSharing();

  // The right to execute a step. Given up by the destructor unless it was handed to publish(). Move-only; goes before
  // its StepSharing does.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), key_(std::move(other.key_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    friend class StepSharing;
    Turn(StepSharing* owner, std::string key) : owner_(owner), key_(std::move(key)) {}
    StepSharing* owner_;
    std::string key_;
  };

  enum class Care { quick, careful };  // quick: for a step that takes hardly longer than asking does
  // nullopt once `is_found` says that the result is in the cache. `on_wait` is called when waiting begins.
  std::optional<Turn> await_turn(const std::string& key, Care care, const std::function<bool()>& is_found,
                                 const std::function<void()>& on_wait);

  // Writes the entry to the cache in the background; the claim ends when it is there.
  void publish(NewCacheEntry entry, Turn turn);
  // Waits for all that is being published.
  void finish();

 private:
  struct Seen;
  std::optional<StepClaim> read(const std::string& key);
  // False where nobody will see it.
  bool write(const std::string& key, unsigned long long beat, WriteKind kind, bool is_over = false);
  bool is_dead(const std::string& holder);
  // Writes a claim in place of `earlier`. False where it is not this process's then.
  enum class Taken { held, unseen, lost };
  Taken take(const std::string& key, Care care, const std::optional<StepClaim>& earlier);
  void give_up(const std::string& key);
  void beat_on();

  SharedCache& cache_;
  const ContentStore& store_;
  CancelToken cancel_;
  ClaimTimes times_;
  std::string holder_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, unsigned long long> held_;  // by step key: the last beat
  std::set<std::string> dead_holders_;              // waited for once; none of their claims is waited for again
  std::atomic<bool> makes_claims_{true};            // no more once one could not be changed or taken back
  bool stopping_ = false;
  std::thread beats_;  // runs since the first claim
  std::vector<std::future<void>> publishing_;
  ThreadPool pool_;
};

}  // namespace kiln
