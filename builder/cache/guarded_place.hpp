#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "base/error.hpp"
#include "base/log.hpp"
#include "builder/cache/cache_backend.hpp"
#include "builder/cache/cache_reference.hpp"

namespace kiln {

// One place of a build's shared cache and what may be done with it.
struct CachePlace {
  std::unique_ptr<CacheBackend> backend;
  bool reads = true;    // --cache-from
  bool writes = false;  // --cache-to
  CacheMode mode = CacheMode::min;
  bool ignore_error = true;
};

enum class WriteKind {
  fresh,        // an entry whose key the place does not have
  overwriting,  // what stands under a key changes: a claim's beat, a bundle, a record that is put right
  withdrawing,  // a claim of this process ends; tried although other writes were refused
};

// A place whose failures cost a warning with their reason and never the build:
//   - what cannot be reached or asked is left alone from then on;
//   - a write that is refused ends all further writes where it speaks of the place (no right, no quota, a server's
//     fault), and none but its own where it speaks of one key (a registry with immutable tags, a tag it does not like).
// Whether a write was refused is told to the caller, who must not go on as if it had happened. Any thread.
class GuardedPlace {
 public:
  // `log` is borrowed.
  GuardedPlace(CachePlace place, Log& log) : place_(std::move(place)), log_(log) {}

  CacheBackend& backend() const { return *place_.backend; }
  const std::string& name() const { return place_.backend->name(); }
  bool reads() const { return place_.reads; }
  bool writes() const { return place_.writes; }
  CacheMode mode() const { return place_.mode; }
  bool ignores_error() const { return place_.ignore_error; }

  // Both run the work unless the place is left alone; false where it was not done to its end.
  bool read(const std::function<void()>& work);
  bool write(WriteKind kind, const std::function<void()>& work);
  // The first error that kept an entry from being written.
  std::optional<Error> write_error() const;

 private:
  void note_write_error(const Error& error);

  CachePlace place_;
  Log& log_;
  std::atomic<bool> is_silent_{false};    // not asked any more
  std::atomic<bool> is_refusing_{false};  // not written any more, but to withdraw
  std::atomic<bool> has_warned_of_key_{false};
  mutable std::mutex mutex_;
  std::optional<Error> write_error_;
};

}  // namespace kiln
