#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cache/step_cache.hpp"
#include "builder/run/cache_mounts.hpp"
#include "builder/run/snapshot_store.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// What takes space below KILN_HOME.
enum class StoreItemKind {
  image,        // blobs that a name in index.json reaches
  step,         // layers that steps made, and no name reaches
  file_index,   // file indexes of layers
  base,         // blobs that nothing names: layers and documents of pulled bases, images that were never named
  snapshot,     // layers unpacked
  cache_mount,  // contents of RUN --mount=type=cache
  package,      // .deb files
  record,       // step, build and layer records, reports, the stat cache
  temporary,    // what is being written, or was when its writer was killed
};

inline constexpr StoreItemKind kStorageKinds[] = {
    StoreItemKind::image,   StoreItemKind::step,     StoreItemKind::file_index,
    StoreItemKind::base,    StoreItemKind::snapshot, StoreItemKind::cache_mount,
    StoreItemKind::package, StoreItemKind::record,   StoreItemKind::temporary};

std::string_view to_string(StoreItemKind kind);

struct StoreItem {
  StoreItemKind kind = StoreItemKind::base;
  std::string id;           // a digest, a number, an id; one of its kind
  std::string description;  // the image's name, the step's text
  std::uint64_t bytes = 0;
  UnixSeconds last_used = 0;
  bool in_use = false;  // by a running kiln
};

// A step record with the blobs it names, read once.
struct StoredStep {
  StepCache::StoredRecord file;
  std::string text;                  // the instruction
  std::vector<oci::Digest> blobs;    // of its layers
  std::vector<oci::Digest> indexes;  // file indexes of its layers
};

// All records that can be read.
std::vector<StoredStep> read_stored_steps(const StepCache& cache);
StoredStep read_stored_step(const StepCache::StoredRecord& file);

// What names in index.json reach: the blob, and the first name. A manifest that is not there or damaged ends the walk.
std::map<oci::Digest, std::string> blobs_of_images(const ContentStore& store);

// Everything below KILN_HOME, each byte once.
std::vector<StoreItem> disk_usage(ContentStore& store, SnapshotStore& snapshots, const CacheMounts& mounts);

}  // namespace kiln
