#include "builder/cache/guarded_place.hpp"

#include <fmt/format.h>

#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

// Why work with a place did not come to its end.
struct Failure {
  Error error;
  bool is_of_place = false;              // it speaks of the place, not of one answer
  std::optional<RegistryError> refusal;  // what a registry answered
};

Failure failure_by(const Error& error, bool is_of_place, std::optional<RegistryError> refusal = {}) {
  return {error, is_of_place, std::move(refusal)};
}

// Does the work; what went wrong with it, or nullopt. Error{cancelled} passes.
std::optional<Failure> failure_of(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const RegistryError& error) {
    return failure_by(error, true, error);
  } catch (const TransportError& error) {
    return failure_by(error, true);
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return failure_by(error, error.category() == Category::machine);
  }
}

// Whether a write was refused for the sake of its key alone. Registries with immutable tags answer 400 (ECR), 409 or
// 412 (Harbor), some 403 or 405 where the tag is there already; 413 is one blob's size.
bool is_of_key(const Failure& failure, WriteKind kind) {
  const std::optional<RegistryError>& refusal = failure.refusal;
  if (!refusal) return false;
  switch (refusal->status()) {
    case 400:
    case 409:
    case 412:
    case 413:
    case 422:
      return true;
    case 403:
    case 405:
      return kind != WriteKind::fresh;
    case 404:
      return refusal->has_code("MANIFEST_BLOB_UNKNOWN") || refusal->has_code("BLOB_UNKNOWN");
    default:
      return false;
  }
}

}  // namespace

bool GuardedPlace::read(const std::function<void()>& work) {
  if (is_silent_) return false;
  const std::optional<Failure> failure = failure_of(work);
  if (!failure) return true;
  const bool ends = failure->is_of_place;
  // What cannot be asked is not written either.
  if (ends && writes()) note_write_error(failure->error);
  if (ends && is_silent_.exchange(true)) return false;
  log_.warn(
      fmt::format("shared cache {}: {}{}", name(), failure->error.message(), ends ? "; going on without it" : ""));
  return false;
}

bool GuardedPlace::write(WriteKind kind, const std::function<void()>& work) {
  if (is_silent_ || (is_refusing_ && kind != WriteKind::withdrawing)) return false;
  const std::optional<Failure> failure = failure_of(work);
  if (!failure) return true;
  const Error& error = failure->error;
  if (is_of_key(*failure, kind)) {
    // A bundle or a claim is a shortcut: without it all is there still.
    if (kind == WriteKind::fresh) note_write_error(error);
    if (has_warned_of_key_.exchange(true)) return false;
    log_.warn(fmt::format("shared cache {}: {}; other keys are written still", name(), error.message()));
    return false;
  }
  if (kind != WriteKind::withdrawing) note_write_error(error);
  const bool ends = failure->is_of_place;
  if (ends && is_refusing_.exchange(true)) return false;
  log_.warn(
      fmt::format("shared cache {}: {}{}", name(), error.message(), ends ? "; nothing more is written to it" : ""));
  return false;
}

void GuardedPlace::note_write_error(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!write_error_) write_error_ = error;
}

std::optional<Error> GuardedPlace::write_error() const {
  const std::lock_guard lock(mutex_);
  return write_error_;
}

}  // namespace kiln
