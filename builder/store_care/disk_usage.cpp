#include "builder/store_care/disk_usage.hpp"

#include <sys/stat.h>

#include "base/error.hpp"
#include "builder/run/disk_space.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/garbage.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{16} << 20;

std::vector<std::string> names_in(const fs::path& folder) {
  std::error_code error;
  return fs::is_directory(folder, error) ? list_directory(folder) : std::vector<std::string>();
}

// The files right below a folder as items; what vanishes meanwhile is passed over.
void add_files(std::vector<StoreItem>& items, StoreItemKind kind, const fs::path& folder,
               const std::string& description) {
  for (const std::string& name : names_in(folder)) {
    struct stat info {};
    const fs::path path = folder / name;
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    const bool is_unfinished = name.starts_with('.') && name.ends_with(".tmp");
    items.push_back({is_unfinished ? StoreItemKind::temporary : kind, path.filename(),
                     is_unfinished ? "unfinished" : description, static_cast<std::uint64_t>(info.st_size),
                     info.st_mtime, false});
  }
}

void add_blobs(std::vector<StoreItem>& items, const ContentStore& store, const std::vector<StoredStep>& steps) {
  const auto images = blobs_of_images(store);
  std::map<oci::Digest, const StoredStep*> of_steps, indexes;
  for (const StoredStep& step : steps) {
    for (const oci::Digest& blob : step.blobs) of_steps.emplace(blob, &step);
    for (const oci::Digest& index : step.indexes) indexes.emplace(index, &step);
  }
  std::set<oci::Digest> known_indexes;
  for (const std::string& name : names_in(store.home().indexes())) {
    if (!oci::Digest::is_valid("sha256:" + name)) continue;
    if (const auto index = index_of_layer(store, oci::Digest::parse("sha256:" + name)))
      known_indexes.insert(index->digest);
  }
  const std::set<oci::Digest> leased = leased_blobs(store);
  for (const ContentStore::StoredBlob& blob : store.blobs()) {
    StoreItem item{StoreItemKind::base, blob.digest.str(), "",
                   blob.bytes,          blob.last_used,    leased.count(blob.digest) != 0};
    if (const auto image = images.find(blob.digest); image != images.end()) {
      item.kind = StoreItemKind::image;
      item.description = image->second;
    } else if (const auto step = of_steps.find(blob.digest); step != of_steps.end()) {
      item.kind = StoreItemKind::step;
      item.description = step->second->text;
    } else if (const auto index = indexes.find(blob.digest); index != indexes.end()) {
      item.kind = StoreItemKind::file_index;
      item.description = index->second->text;
    } else if (known_indexes.count(blob.digest)) {
      item.kind = StoreItemKind::file_index;
    }
    items.push_back(std::move(item));
  }
}

}  // namespace

std::string_view to_string(StoreItemKind kind) {
  switch (kind) {
    case StoreItemKind::image:
      return "image";
    case StoreItemKind::step:
      return "step";
    case StoreItemKind::file_index:
      return "index";
    case StoreItemKind::base:
      return "base";
    case StoreItemKind::snapshot:
      return "snapshot";
    case StoreItemKind::cache_mount:
      return "cachemount";
    case StoreItemKind::package:
      return "package";
    case StoreItemKind::record:
      return "record";
    case StoreItemKind::temporary:
      return "temporary";
  }
  return "base";
}

StoredStep read_stored_step(const StepCache::StoredRecord& file) {
  const StepRecord record =
      parse_step_record(read_file(file.file, kMaxRecordBytes), file.key, "step record '" + file.file.native() + "'");
  StoredStep step{file, record.text, {}, {}};
  for (const LayerValue& layer : record.layers) {
    for (const LayerBlob& blob : layer.blobs) step.blobs.push_back(blob.descriptor.digest);
    if (layer.index) step.indexes.push_back(layer.index->digest);
  }
  return step;
}

std::vector<StoredStep> read_stored_steps(const StepCache& cache) {
  std::vector<StoredStep> steps;
  for (const StepCache::StoredRecord& file : cache.stored_records()) {
    try {
      steps.push_back(read_stored_step(file));
    } catch (const Error&) {
      // Damaged: a miss for builds, and 'kiln cache verify' names it.
    }
  }
  return steps;
}

std::map<oci::Digest, std::string> blobs_of_images(const ContentStore& store) {
  std::map<oci::Digest, std::string> blobs;
  for (const NamedImage& image : named_images(store)) {
    std::vector<oci::Descriptor> reached{image.descriptor};
    try {
      reached = closure_of(store, image.descriptor);
    } catch (const Error&) {
      // Damaged: a prune refuses to go on, and 'kiln cache verify' names it.
    }
    for (const oci::Descriptor& item : reached) blobs.emplace(item.digest, image.name);
  }
  return blobs;
}

std::vector<StoreItem> disk_usage(ContentStore& store, SnapshotStore& snapshots, const CacheMounts& mounts) {
  const HomeLayout& home = store.home();
  std::vector<StoreItem> items;
  const StepCache cache(store);
  const std::vector<StoredStep> steps = read_stored_steps(cache);
  add_blobs(items, store, steps);
  for (const SnapshotInfo& info : snapshots.disk_usage()) {
    items.push_back({StoreItemKind::snapshot, std::to_string(info.number), info.chain_id.str(), info.bytes,
                     info.last_used, info.in_use});
  }
  for (const CacheMountInfo& info : mounts.disk_usage()) {
    items.push_back(
        {StoreItemKind::cache_mount, info.folder.filename(), info.name.id, info.bytes, info.last_used, info.in_use});
  }
  const std::size_t first_package = items.size();
  add_files(items, StoreItemKind::package, home.debs(), "");
  // Which packages a build uses is not recorded.
  const bool is_alone = while_alone(store, [] {});
  for (std::size_t i = first_package; i < items.size(); ++i) items[i].in_use = !is_alone;
  for (const std::string& name : names_in(home.steps())) {
    add_files(items, StoreItemKind::record, home.steps() / name,
              name == StepCache::kSlotsFolder ? "places of steps" : "step records");
  }
  add_files(items, StoreItemKind::record, home.builds(), "build records");
  add_files(items, StoreItemKind::record, home.reports(), "reports");
  add_files(items, StoreItemKind::record, home.indexes(), "facts of layers");
  add_files(items, StoreItemKind::record, home.blob_info(), "facts of layers");
  add_files(items, StoreItemKind::record, home.forms(), "facts of layers");
  struct stat info {};
  if (::stat(home.stat_cache().c_str(), &info) == 0) {
    items.push_back({StoreItemKind::record, "stat-cache", "digests of files", static_cast<std::uint64_t>(info.st_size),
                     info.st_mtime, false});
  }
  for (const std::string& name : names_in(home.tmp())) {
    const fs::path path = home.tmp() / name;
    if (::lstat(path.c_str(), &info) != 0) continue;
    const std::uint64_t bytes = S_ISDIR(info.st_mode) ? disk_space(path) : static_cast<std::uint64_t>(info.st_size);
    items.push_back({StoreItemKind::temporary, name, "", bytes, info.st_mtime, false});
  }
  return items;
}

}  // namespace kiln
