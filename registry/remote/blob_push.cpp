#include "registry/remote/blob_push.hpp"

#include <fmt/format.h>

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
  session_.locations().add(blob.digest, place);
  return true;
}

bool BlobPush::mount(const RemoteRepository& place, const Descriptor& blob) {
  constexpr std::size_t kMostTried = 3;
  RegistryClient client = session_.client(place.endpoint);
  std::size_t tried = 0;
  for (const RemoteRepository& other : session_.locations().find(blob.digest)) {
    if (other.endpoint != place.endpoint || other.repository == place.repository) continue;
    if (tried++ == kMostTried) break;
    if (!client.mount_blob(place.repository, blob, other.repository)) continue;
    if (!client.find_blob(place.repository, blob.digest).matches(blob)) continue;
    report(place, blob, TransferOutcome::mounted);
    session_.locations().add(blob.digest, place);
    return true;
  }
  return false;
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
  session_.locations().add(blob.digest, place);
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
