#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "builder/cache/entry_signature.hpp"
#include "builder/cache/guarded_place.hpp"

namespace kiln {

// The places of a build's shared cache in the order in which they are asked, and whose entries are believed. Any
// thread.
class PlaceChain {
 public:
  // `log` is borrowed.
  PlaceChain(std::vector<CachePlace> places, EntrySignatures signatures, Log& log);

  const std::vector<std::unique_ptr<GuardedPlace>>& places() const noexcept { return places_; }
  Log& log() const noexcept { return log_; }

  bool is_read() const;
  bool is_written() const;
  // The repositories that entries and their blobs are written to.
  std::vector<RemoteRepository> written_repositories() const;
  // Error{network} for the first place with ignore-error=false that could not be written.
  void refuse_write_errors() const;

  // What a place has under these keys; nothing where it is left alone.
  static std::vector<CacheFinding> ask(GuardedPlace& place, std::span<const std::string> keys);
  // Why an entry cannot be used: another kind than expected, or not signed by a key that is trusted; "" where it can.
  std::string problem_of(const CacheEntry& entry, std::string_view media_type) const;
  std::string signature_problem_of(const CacheEntry& entry) const { return signatures_.problem(entry); }
  // Signs an entry that is to be written, where there is a key to sign with.
  void sign(CacheEntry& entry) const;

 private:
  std::vector<std::unique_ptr<GuardedPlace>> places_;
  EntrySignatures signatures_;
  Log& log_;
};

}  // namespace kiln
