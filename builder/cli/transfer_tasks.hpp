#pragma once

#include <map>
#include <mutex>
#include <string>

#include "builder/solve/events.hpp"
#include "builder/solve/step_executor.hpp"
#include "registry/remote/transfer_observer.hpp"

namespace kiln::cli {

// Shows transfers as tasks of a build: one line for each blob that moves, one for each tag.
class TransferTasks : public TransferObserver {
 public:
  TransferTasks(BuildObserver& observer, StepExecutor& numbers) : observer_(observer), numbers_(numbers) {}

  void transfer_started(const Transfer& transfer) override;
  void transfer_advanced(const Transfer& transfer, std::uint64_t done_bytes) override;
  void transfer_ended(const Transfer& transfer, TransferOutcome outcome) override;
  void tag_done(std::string_view reference, const oci::Descriptor& manifest, TransferOutcome outcome) override;

 private:
  int number_of(const Transfer& transfer);

  BuildObserver& observer_;
  StepExecutor& numbers_;
  std::mutex mutex_;
  std::map<std::string, int> open_;
};

}  // namespace kiln::cli
