#pragma once

#include <cstdint>
#include <functional>
#include <set>

#include "registry/oci/digest.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// What one garbage collection did or, with DryRun::yes, would do.
struct GarbageReport {
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;
};
enum class DryRun { no, yes };

// Removes blobs that neither index.json, nor a pending push, nor `roots` (each for itself, not for what it refers
// to), nor any live process's lease reaches, and temporary files that no process holds. The file index of a layer stays
// with the layer. Takes the store's lock exclusively. Error{machine}, and nothing is removed, where a manifest that
// index.json reaches is damaged, since what it needs cannot be known.
//
// The roots are asked for once leases and names stand still: what a process that ended before that has recorded (a
// step) is then to be seen, and what belongs to a living one is leased.
GarbageReport collect_garbage(ContentStore& store, const std::function<std::set<oci::Digest>()>& roots, DryRun dry_run);

// What living processes use, this one too.
std::set<oci::Digest> leased_blobs(const ContentStore& store);
// Calls `body` where no other process has joined the store, and lets none join until it is done. False where there is
// one.
bool while_alone(const ContentStore& store, const std::function<void()>& body);

}  // namespace kiln
