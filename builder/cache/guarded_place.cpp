#include "builder/cache/guarded_place.hpp"

#include <fmt/format.h>

#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

// Whether an error speaks of the place, not of one answer.
bool is_of_place(const Error& error) {
  return error.category() == Category::machine || dynamic_cast<const TransportError*>(&error) ||
         dynamic_cast<const RegistryError*>(&error);
}

// Whether a write was refused for the sake of its key alone. Registries with immutable tags answer 400 (ECR), 409 or
// 412 (Harbor), some 403 or 405 where the tag is there already; 413 is one blob's size.
bool is_of_key(const Error& error, WriteKind kind) {
  const auto* refusal = dynamic_cast<const RegistryError*>(&error);
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
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    const bool ends = is_of_place(error);
    // What cannot be asked is not written either.
    if (ends && writes()) note_write_error(error);
    if (ends && is_silent_.exchange(true)) return false;
    log_.warn(fmt::format("shared cache {}: {}{}", name(), error.message(), ends ? "; going on without it" : ""));
    return false;
  }
}

bool GuardedPlace::write(WriteKind kind, const std::function<void()>& work) {
  if (is_silent_ || (is_refusing_ && kind != WriteKind::withdrawing)) return false;
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    if (is_of_key(error, kind)) {
      // A bundle or a claim is a shortcut: without it all is there still.
      if (kind == WriteKind::fresh) note_write_error(error);
      if (has_warned_of_key_.exchange(true)) return false;
      log_.warn(fmt::format("shared cache {}: {}; other keys are written still", name(), error.message()));
      return false;
    }
    if (kind != WriteKind::withdrawing) note_write_error(error);
    const bool ends = is_of_place(error);
    if (ends && is_refusing_.exchange(true)) return false;
    log_.warn(
        fmt::format("shared cache {}: {}{}", name(), error.message(), ends ? "; nothing more is written to it" : ""));
    return false;
  }
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
