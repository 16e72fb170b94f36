#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "builder/steps/events.hpp"
#include "registry/remote/transfer_observer.hpp"

namespace kiln {

// Shows transfers as tasks of a build: one line for each blob that moves, one for each tag.
class TransferTasks : public TransferObserver {
 public:
  // `next_number` numbers the tasks; any thread may call it.
  TransferTasks(BuildObserver& observer, std::function<int()> next_number)
      : observer_(observer), next_number_(std::move(next_number)) {}

  void transfer_started(const Transfer& transfer) override;
  void transfer_advanced(const Transfer& transfer, std::uint64_t done_bytes) override;
  void transfer_ended(const Transfer& transfer, TransferOutcome outcome) override;
  void tag_done(std::string_view reference, const oci::Descriptor& manifest, TransferOutcome outcome) override;

 private:
  int number_of(const Transfer& transfer);

  BuildObserver& observer_;
  std::function<int()> next_number_;
  std::mutex mutex_;
  std::map<std::string, int> open_;
};

}  // namespace kiln
