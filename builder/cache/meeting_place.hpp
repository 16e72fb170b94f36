#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/cache/place_chain.hpp"

namespace kiln {

// The place where machines meet that build the same: of those that are both read and written the one that is asked
// last. What is written there changes (claims, step_claim.hpp): it is asked each time, and nothing is remembered.
// Nothing is found or done where there is no such place, or it went silent. Any thread.
class MeetingPlace {
 public:
  // The chain is borrowed.
  explicit MeetingPlace(const PlaceChain& chain);

  bool is_there() const { return place_ != nullptr; }
  std::optional<CacheEntry> find(const std::string& key, std::string_view media_type);
  // False where it was not written: no other machine can know of it.
  bool put(CacheEntry entry, WriteKind kind);
  // False where it is still there, since the place removes nothing. Tried although other writes were refused.
  bool remove(const std::string& key, std::string_view media_type);

 private:
  const PlaceChain& chain_;
  GuardedPlace* place_ = nullptr;
};

}  // namespace kiln
