#include "builder/build/transfer_tasks.hpp"

#include <fmt/format.h>

#include "base/cancel.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

std::string name_of(const Transfer& transfer) {
  return fmt::format("{} {} ({}) {} {}", transfer.direction == TransferDirection::push ? "push" : "pull",
                     transfer.blob.digest.short_hex(), human_bytes(transfer.blob.size),
                     transfer.direction == TransferDirection::push ? "to" : "from", transfer.repository);
}

}  // namespace

int TransferTasks::number_of(const Transfer& transfer) {
  const std::lock_guard lock(mutex_);
  const auto it = open_.find(name_of(transfer));
  return it == open_.end() ? 0 : it->second;
}

void TransferTasks::transfer_started(const Transfer& transfer) {
  const std::string name = name_of(transfer);
  StepView view;
  view.number = next_number_();
  view.text = name;
  view.tally = transfer.direction == TransferDirection::push ? "blobs pushed or mounted" : "blobs pulled";
  {
    const std::lock_guard lock(mutex_);
    open_[name] = view.number;
  }
  observer_.step_started(view);
}

void TransferTasks::transfer_advanced(const Transfer& transfer, std::uint64_t done_bytes) {
  if (const int number = number_of(transfer)) observer_.step_progress(number, "", done_bytes, transfer.blob.size);
}

void TransferTasks::transfer_ended(const Transfer& transfer, TransferOutcome outcome) {
  const int number = number_of(transfer);
  if (number == 0) return;
  {
    const std::lock_guard lock(mutex_);
    open_.erase(name_of(transfer));
  }
  if (outcome == TransferOutcome::deferred) return observer_.task_stopped(number);
  observer_.task_finished(number, outcome == TransferOutcome::failed ? "failed" : "");
}

void TransferTasks::tag_done(std::string_view reference, const oci::Descriptor& manifest, TransferOutcome outcome) {
  StepView view;
  view.number = next_number_();
  const std::string_view name = reference.substr(0, reference.find('@'));
  view.text = fmt::format("{} {}@{}", outcome == TransferOutcome::skipped ? "unchanged" : "pushed", name,
                          manifest.digest.short_hex());
  if (outcome == TransferOutcome::skipped) view.tally = "names that their registries had as they are";
  observer_.step_started(view);
  observer_.task_finished(view.number, "");
}

}  // namespace kiln
