#pragma once

#include <string>
#include <string_view>

namespace kiln {

// Says which machine executes a step, to the machines that share a cache with it: an entry of its own (kClaimEntryType)
// under claim_key(step's key). JSON, version 1 (unknown members are ignored, another version is no claim):
//
//   {"version": 1, "key": the step's, "holder": 32 HEX, "beat": N, "over": BOOL}
//
// The holder is a random number of one kiln process. While it works, it writes the claim anew with the next beat; a
// claim that does not change is a dead one. Where a cache cannot remove it in the end, it says that it is over. No time
// is in it, since the clocks of two machines need not agree.
struct StepClaim {
  std::string holder;
  unsigned long long beat = 0;
  bool is_over = false;

  bool operator==(const StepClaim&) const = default;
};

std::string claim_key(std::string_view step_key);
std::string serialise(const StepClaim& claim, std::string_view step_key);
// Takes it from anybody: Error{network} naming `where` for what is no claim, or one of another step.
StepClaim parse_step_claim(std::string_view text, std::string_view step_key, std::string_view where);

}  // namespace kiln
