#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "builder/build/transfer_tasks.hpp"
#include "builder/steps/events.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/content_store.hpp"

namespace kiln::cli {

// What the commands that move images work with: a progress display on standard error, the store, registries.
class RegistrySession {
 public:
  // `progress` is --progress. Error{usage} for a word it does not know.
  RegistrySession(const std::optional<std::string>& progress, bool quiet, CancelToken cancel);
  ~RegistrySession();

  ContentStore& store() noexcept { return *store_; }
  RemoteSession& remote() noexcept { return *remote_; }
  TransferObserver& transfers() noexcept { return *transfers_; }
  // Ends the progress display, so that what is printed next stands below it. Neither registries nor transfers() may be
  // used afterwards.
  void end_progress();

 private:
  std::unique_ptr<BuildObserver> progress_;
  std::unique_ptr<ContentStore> store_;
  std::unique_ptr<RemoteSession> remote_;
  std::atomic<int> last_number_{0};
  std::unique_ptr<TransferTasks> transfers_;
};

}  // namespace kiln::cli
