#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_lock.hpp"
#include "builder/cache/step_outcome.hpp"
#include "builder/cache/step_record.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// The local cache of step records: steps/HH/KEY below KILN_HOME, and steps/slots/HEX, which remember the last keys of
// each place in a build (a line each, newest first) so that a miss can be explained.
//
// Any thread, any number of processes. A record is published only after its blobs are durable.
class StepCache {
 public:
  // In the home's folder of steps: the keys of the latest builds by place.
  static constexpr const char* kSlotsFolder = "slots";

  explicit StepCache(ContentStore& store) : store_(store) {}

  // What a look-up came to: a record all of whose layers are in the store (and are leased by this process now) or were
  // seen at a registry, which may have lost them since; or why there is none.
  struct Lookup {
    std::optional<StepRecord> record;
    Miss miss;
  };
  Lookup find(std::string_view key);

  // Makes the layers' blobs durable and publishes the record, replacing an earlier one.
  void store(const StepRecord& record);

  // Publishes a record that a shared cache answered. Its layers need not be in the store: then find() says so.
  void adopt(const StepRecord& record);

  // A step that two processes want to execute at the same time is executed by the one that holds this lock. The other
  // looks the key up again when it gets it. nullopt while somebody else holds it. Keys that begin with the same four
  // digits share one, which keeps the folder of locks small.
  std::optional<FileLock> try_lock(std::string_view key);

  // The records that the same place of a build (target, stage, position) had in its last builds, newest first, at most
  // kRememberedKeys; empty on the first build.
  std::vector<StepRecord> earlier_in_slot(std::string_view slot);
  void remember_slot(std::string_view slot, std::string_view key);

  static constexpr std::size_t kRememberedKeys = 4;

  // The records that are there, damaged ones too; a record's file was last used when it was last found.
  struct StoredRecord {
    std::string key;
    fs::path file;
    std::uint64_t bytes = 0;
    std::int64_t last_used = 0;  // Unix seconds
  };
  std::vector<StoredRecord> stored_records() const;

 private:
  fs::path path_of(std::string_view key) const;
  std::optional<StepRecord> load(std::string_view key, std::string& problem);

  ContentStore& store_;
};

}  // namespace kiln
