#pragma once

#include "builder/store_care/verify.hpp"

namespace kiln {

// The part of verify_store() that is about snapshots.
void verify_snapshots(ContentStore& store, SnapshotStore& snapshots, ThreadPool& pool, Repair repair,
                      const CancelToken& cancel, VerifyReport& report);

}  // namespace kiln
