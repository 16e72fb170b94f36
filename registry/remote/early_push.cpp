#include "registry/remote/early_push.hpp"

#include <fmt/format.h>

#include "registry/remote/ghcr.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostAtOnce = 2;

}  // namespace

EarlyPush::EarlyPush(RemoteSession& session, const ContentStore& store, TransferObserver* observer)
    : session_(session), blobs_(session, store, {}, observer, TransferOutcome::deferred) {}

EarlyPush::~EarlyPush() { hand_over(); }

void EarlyPush::add(const RemoteRepository& place, const oci::Descriptor& blob) {
  const std::lock_guard lock(mutex_);
  if (is_handed_over_ || failed_.count(place.endpoint)) return;
  const Key key{place.endpoint, blob.digest};
  if (!entries_.try_emplace(key, Entry{place, blob, State::waiting, {}}).second) return;
  if (!pool_) pool_ = std::make_unique<ThreadPool>(kMostAtOnce);
  pool_->submit([this, key] { run(key); });
}

void EarlyPush::hand_over() {
  const std::lock_guard lock(mutex_);
  is_handed_over_ = true;
}

bool EarlyPush::has(const RemoteRepository& place, const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({place.endpoint, blob});
  return found != entries_.end() && found->second.state == State::there && found->second.place == place;
}

bool EarlyPush::when_ended(const Endpoint& registry, const oci::Digest& blob, std::function<void()> next) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({registry, blob});
  if (found == entries_.end() || found->second.state != State::under_way) return false;
  found->second.next.push_back(std::move(next));
  return true;
}

void EarlyPush::run(const Key& key) {
  RemoteRepository place;
  oci::Descriptor blob;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.at(key);
    if (is_handed_over_ || failed_.count(key.first)) {
      entry.state = State::left_to_push;
      return;
    }
    entry.state = State::under_way;
    place = entry.place;
    blob = entry.blob;
  }
  State state = State::left_to_push;
  bool has_failed = false;
  try {
    state = deal_with(place, blob);
  } catch (const std::exception& error) {
    has_failed = true;
    session_.log().debug(fmt::format("'{}' is left to the push: {}", blob.digest.str(), error.what()));
  }
  std::vector<std::function<void()>> next;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.at(key);
    entry.state = state;
    next.swap(entry.next);
    if (has_failed) failed_.insert(key.first);
  }
  for (const auto& function : next) function();
}

EarlyPush::State EarlyPush::deal_with(const RemoteRepository& place, const oci::Descriptor& blob) {
  if (ghcr::is_ghcr(place.endpoint.authority)) {
    const double rate = session_.client(place.endpoint).upload_bytes_per_second();
    if (ghcr::upload_objection(blob, "", rate)) return State::left_to_push;
  }
  if (!blobs_.find(place, blob) && !blobs_.mount_on_guess(place, blob, {})) blobs_.send(place, blob);
  return State::there;
}

}  // namespace kiln
