#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "registry/remote/registry_client.hpp"
#include "registry/remote/transfer_observer.hpp"
#include "registry/store/seen_places.hpp"

namespace kiln {

// The ways in which one blob comes into one repository. Each shows itself to the observer; what they find out about
// where the blob is they read from and write to the session's locations. Any thread; the caller sees to it that no
// two send the same blob to the same registry.
class BlobPush {
 public:
  // `fetch`: see PushOptions::fetch; may be empty. `on_fault`: how a transfer that fails is said to have ended; one of
  // a blob that `fetch` did not find either is deferred, since who gave `fetch` knows that now and may make it again.
  // Session, store and observer are borrowed; the observer may be null.
  BlobPush(RemoteSession& session, const ContentStore& store, std::function<bool(const oci::Descriptor&)> fetch,
           TransferObserver* observer, TransferOutcome on_fault = TransferOutcome::failed)
      : session_(session), store_(store), fetch_(std::move(fetch)), observer_(observer), on_fault_(on_fault) {}

  // Asks whether it is there.
  bool find(const RemoteRepository& place, const oci::Descriptor& blob);
  // Takes it from another repository of the same registry that this session knows to have it. False where none is known
  // or the registry did not.
  bool mount(const RemoteRepository& place, const oci::Descriptor& blob);
  // The same, then from where the store saw it in earlier sessions, then from `likely`.
  //
  // Both together ask kMostMounts times for a blob in a repository, and not again where they were refused. Two
  // repositories between which kMostRefusals were refused are not asked about; between which as many guesses were
  // wrong, not on a guess.
  bool mount_on_guess(const RemoteRepository& place, const oci::Descriptor& blob,
                      const std::vector<RemoteRepository>& likely);
  // Sends it, from the store, else through this machine from a registry that has it.
  void send(const RemoteRepository& place, const oci::Descriptor& blob);

 private:
  static constexpr std::size_t kMostMounts = 2;
  static constexpr int kMostRefusals = 2;
  enum class Grounds { knowledge, guess };
  // What was asked in vain.
  struct Refusals {
    std::map<std::pair<RemoteRepository, oci::Digest>, std::set<std::string>> of_blob;  // from which repositories
    std::map<std::pair<RemoteRepository, std::string>, std::map<Grounds, int>> of_pair;
  };

  bool mount_from(const RemoteRepository& place, const oci::Descriptor& blob, const RemoteRepository& other,
                  Grounds grounds);
  bool may_ask(const RemoteRepository& place, const oci::Digest& blob, const std::string& other, Grounds grounds);
  void note_there(const RemoteRepository& place, const oci::Descriptor& blob, Seen seen);
  void report(const RemoteRepository& place, const oci::Descriptor& blob, TransferOutcome outcome);
  // False: no place has the blob, `fetch` included; then `problem` says why.
  bool transfer(const RemoteRepository& place, const oci::Descriptor& blob, const ByteProgress& progress,
                std::optional<Error>& problem);

  RemoteSession& session_;
  const ContentStore& store_;
  std::function<bool(const oci::Descriptor&)> fetch_;
  TransferObserver* observer_;
  TransferOutcome on_fault_;
  std::mutex mutex_;
  Refusals refusals_;
};

}  // namespace kiln
