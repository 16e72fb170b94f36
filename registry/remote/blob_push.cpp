#include "registry/remote/blob_push.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace kiln {

using oci::Descriptor;

bool BlobPush::find(const RemoteRepository& place, const Descriptor& blob) {
  if (!session_.client(place.endpoint).find_blob(place.repository, blob.digest).matches(blob)) {
    session_.locations().forget(blob.digest, place);
    return false;
  }
  session_.stats().skipped_bytes += blob.size;
  report(place, blob, TransferOutcome::skipped);
  note_there(place, blob, Seen::there);
  return true;
}

bool BlobPush::mount(const RemoteRepository& place, const Descriptor& blob) {
  const auto known = session_.locations().find(blob.digest);
  return std::any_of(known.begin(), known.end(),
                     [&](const RemoteRepository& other) { return mount_from(place, blob, other, Grounds::knowledge); });
}

bool BlobPush::mount_on_guess(const RemoteRepository& place, const Descriptor& blob,
                              const std::vector<RemoteRepository>& likely) {
  if (mount(place, blob)) return true;
  std::vector<RemoteRepository> guesses;
  for (std::string& repository : seen_repositories(store_, blob.digest, place.endpoint.authority))
    guesses.push_back({place.endpoint, std::move(repository)});
  guesses.insert(guesses.end(), likely.begin(), likely.end());
  return std::any_of(guesses.begin(), guesses.end(),
                     [&](const RemoteRepository& other) { return mount_from(place, blob, other, Grounds::guess); });
}

bool BlobPush::may_ask(const RemoteRepository& place, const oci::Digest& blob, const std::string& other,
                       Grounds grounds) {
  const std::lock_guard lock(mutex_);
  const auto& asked = refusals_.of_blob[{place, blob}];
  if (asked.size() >= kMostMounts || asked.count(other)) return false;
  auto& refused = refusals_.of_pair[{place, other}];
  return refused[Grounds::knowledge] < kMostRefusals &&
         (grounds == Grounds::knowledge || refused[grounds] < kMostRefusals);
}

bool BlobPush::mount_from(const RemoteRepository& place, const Descriptor& blob, const RemoteRepository& other,
                          Grounds grounds) {
  if (other.endpoint != place.endpoint || other.repository == place.repository) return false;
  if (!may_ask(place, blob.digest, other.repository, grounds)) return false;
  RegistryClient client = session_.client(place.endpoint);
  if (!client.mount_blob(place.repository, blob, other.repository) ||
      !client.find_blob(place.repository, blob.digest).matches(blob)) {
    const std::lock_guard lock(mutex_);
    refusals_.of_blob[{place, blob.digest}].insert(other.repository);
    ++refusals_.of_pair[{place, other.repository}][grounds];
    return false;
  }
  report(place, blob, TransferOutcome::mounted);
  session_.locations().add(blob.digest, other);
  note_there(place, blob, Seen::there);
  return true;
}

void BlobPush::send(const RemoteRepository& place, const Descriptor& blob) {
  const std::string name = place.name();
  const Transfer shown{TransferDirection::push, name, blob};
  if (observer_) observer_->transfer_started(shown);
  const ByteProgress progress = [&](std::uint64_t done) {
    if (observer_) observer_->transfer_advanced(shown, done);
  };
  std::optional<Error> problem;
  bool is_sent = false;
  try {
    is_sent = transfer(place, blob, progress, problem);
  } catch (...) {
    if (observer_) observer_->transfer_ended(shown, on_fault_);
    throw;
  }
  if (!is_sent) {
    if (observer_) observer_->transfer_ended(shown, fetch_ ? TransferOutcome::deferred : on_fault_);
    throw Error(*problem);
  }
  if (observer_) observer_->transfer_ended(shown, TransferOutcome::transferred);
  note_there(place, blob, Seen::sent);
}

void BlobPush::note_there(const RemoteRepository& place, const Descriptor& blob, Seen seen) {
  session_.locations().add(blob.digest, place);
  note_seen_place(store_, blob.digest, place.endpoint.authority, place.repository, seen);
}

void BlobPush::report(const RemoteRepository& place, const Descriptor& blob, TransferOutcome outcome) {
  if (!observer_) return;
  const std::string name = place.name();
  const Transfer transfer{TransferDirection::push, name, blob};
  observer_->transfer_started(transfer);
  observer_->transfer_ended(transfer, outcome);
}

bool BlobPush::transfer(const RemoteRepository& place, const Descriptor& blob, const ByteProgress& progress,
                        std::optional<Error>& problem) {
  RegistryClient client = session_.client(place.endpoint);
  const auto upload = [&](const std::unique_ptr<UploadSource>& source) {
    client.upload_blob(place.repository, blob, *source, progress);
    return true;
  };
  if (store_.has(blob.digest)) return upload(stored_blob(store_, blob));
  problem = Error(Category::machine,
                  fmt::format("layer '{}' is not in the store, and no registry is known to have it; pull or build its "
                              "image again",
                              blob.digest.str()));
  for (const RemoteRepository& other : session_.locations().with_others(session_.locations().find(blob.digest))) {
    if (other == place) continue;
    try {
      return upload(remote_blob(session_.client(other.endpoint), other.repository, blob));
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
      problem = error;
    }
  }
  return fetch_ && fetch_(blob) && upload(stored_blob(store_, blob));
}

}  // namespace kiln
