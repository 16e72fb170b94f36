#include "builder/cache/step_sharing.hpp"

#include <algorithm>
#include <chrono>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kParallelPublishing = 4;
constexpr double kLeastSettleSeconds = 0.005;
constexpr double kMostSettleSeconds = 0.5;
constexpr double kPollGrowth = 1.5;
constexpr std::chrono::milliseconds kCancelPoll{50};

}  // namespace

// What was last seen of another machine's claim, and since when it has been the same.
struct StepSharing::Seen {
  std::optional<StepClaim> claim;
  double since = 0;
};

StepSharing::StepSharing(SharedCache& cache, const ContentStore& store, CancelToken cancel, ClaimTimes times)
    : cache_(cache),
      store_(store),
      cancel_(std::move(cancel)),
      times_(times),
      holder_(new_salt()),
      pool_(kParallelPublishing) {}

StepSharing::~StepSharing() {
  finish();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (beats_.joinable()) beats_.join();
}

StepSharing::Turn::~Turn() {
  if (owner_) owner_->give_up(key_);
}

std::optional<StepClaim> StepSharing::read(const std::string& key) {
  const auto entry = cache_.meeting_place().find(claim_key(key), kClaimEntryType);
  if (!entry) return std::nullopt;
  try {
    return parse_step_claim(entry->content, key, "claim");
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool StepSharing::write(const std::string& key, unsigned long long beat, WriteKind kind, bool is_over) {
  CacheEntry entry;
  entry.key = claim_key(key);
  entry.media_type = kClaimEntryType;
  entry.content = serialise(StepClaim{holder_, beat, is_over}, key);
  return cache_.meeting_place().put(std::move(entry), kind);
}

bool StepSharing::is_dead(const std::string& holder) {
  const std::lock_guard lock(mutex_);
  return dead_holders_.count(holder) > 0;
}

void StepSharing::give_up(const std::string& key) {
  unsigned long long beat = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto held = held_.find(key);
    if (held == held_.end()) return;
    beat = held->second;
    held_.erase(held);
  }
  try {
    if (!cache_.meeting_place().remove(claim_key(key), kClaimEntryType) &&
        !write(key, beat, WriteKind::withdrawing, true)) {
      makes_claims_ = false;
    }
  } catch (const Error&) {
    // Cancelled: the others wait until it is taken for dead.
  }
}

void StepSharing::beat_on() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::duration<double>(times_.beat_seconds), [&] { return stopping_; })) {
    std::vector<std::pair<std::string, unsigned long long>> due;
    for (auto& [key, beat] : held_) due.emplace_back(key, ++beat);
    lock.unlock();
    try {
      for (const auto& [key, beat] : due) {
        bool is_held = false;
        {
          const std::lock_guard held(mutex_);
          is_held = held_.count(key) > 0;
        }
        if (is_held && !write(key, beat, WriteKind::overwriting)) {
          makes_claims_ = false;
          return;
        }
      }
    } catch (const Error&) {
      return;  // cancelled
    }
    lock.lock();
  }
}

StepSharing::Taken StepSharing::take(const std::string& key, Care care, const std::optional<StepClaim>& earlier) {
  const double before = monotonic_seconds();
  if (!makes_claims_ || !write(key, 0, earlier ? WriteKind::overwriting : WriteKind::fresh)) return Taken::unseen;
  if (care == Care::quick) return Taken::held;
  const double settle = std::clamp(2 * (monotonic_seconds() - before), kLeastSettleSeconds, kMostSettleSeconds);
  std::this_thread::sleep_for(std::chrono::duration<double>(settle));
  cancel_.check();
  const std::optional<StepClaim> now_there = read(key);
  // None where the place cannot keep it: then there is no holder to wait for.
  if (!now_there || now_there->is_over || now_there->holder == holder_) return Taken::held;
  // What stands there still was judged already; the write came to nothing although it was not refused.
  return now_there == earlier ? Taken::unseen : Taken::lost;
}

std::optional<StepSharing::Turn> StepSharing::await_turn(const std::string& key, Care care,
                                                         const std::function<bool()>& is_found,
                                                         const std::function<void()>& on_wait) {
  const double begin = monotonic_seconds();
  double pause = times_.first_poll_seconds;
  bool has_waited = false;
  Seen seen;
  for (;;) {
    const std::optional<StepClaim> claim = read(key);
    const double now = monotonic_seconds();
    const bool has_time = now - begin < times_.most_seconds;
    if (claim != seen.claim) seen = {claim, now};
    const bool is_other = claim && !claim->is_over && claim->holder != holder_ && !is_dead(claim->holder);
    if (is_other && has_time && now - seen.since < times_.patience_seconds) {
      if (!std::exchange(has_waited, true)) on_wait();
      for (const double until = now + pause; monotonic_seconds() < until;) {
        cancel_.check();
        std::this_thread::sleep_for(
            std::min<std::chrono::duration<double>>(kCancelPoll, std::chrono::duration<double>(pause)));
      }
      pause = std::min(pause * kPollGrowth, times_.longest_poll_seconds);
      if (is_found()) return std::nullopt;
      continue;
    }
    if (is_other && has_time) {
      const std::lock_guard lock(mutex_);
      dead_holders_.insert(claim->holder);
    }
    const Taken taken = take(key, care, claim);
    if (taken == Taken::lost && has_time) continue;
    if (taken == Taken::held) {
      const std::lock_guard lock(mutex_);
      held_[key] = 0;
      if (!beats_.joinable()) beats_ = std::thread([this] { beat_on(); });
    }
    Turn turn(this, key);
    // The machine that held it may have published and given up between the look-up and here.
    if (is_found()) return std::nullopt;
    return turn;
  }
}

void StepSharing::publish(NewCacheEntry entry, Turn turn) {
  auto work = std::make_shared<std::pair<NewCacheEntry, Turn>>(std::move(entry), std::move(turn));
  auto job = [this, work] {
    const Turn held = std::move(work->second);  // ends here, wherever the job is destroyed
    cache_.put({std::move(work->first)}, store_);
  };
  std::future<void> done = pool_.submit(std::move(job));
  const std::lock_guard lock(mutex_);
  publishing_.push_back(std::move(done));
}

void StepSharing::finish() {
  std::vector<std::future<void>> open;
  {
    const std::lock_guard lock(mutex_);
    open.swap(publishing_);
  }
  for (std::future<void>& done : open) {
    try {
      done.get();
    } catch (const Error& error) {
      if (error.category() != Category::cancelled) throw;
    }
  }
}

NewCacheEntry new_step_entry(const StepRecord& record, const std::function<bool(const oci::Digest&)>& is_of_image) {
  NewCacheEntry entry{{record.key, kStepEntryType, serialise(record), {}, ""}, {}, {}};
  for (const LayerValue& layer : record.layers) {
    if (layer.index) entry.always.push_back(*layer.index);
    for (const LayerBlob& blob : layer.blobs) {
      (is_of_image(blob.descriptor.digest) ? entry.always : entry.with_max).push_back(blob.descriptor);
    }
  }
  return entry;
}

}  // namespace kiln
