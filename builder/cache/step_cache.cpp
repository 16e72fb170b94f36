#include "builder/cache/step_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/atomic_file.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "registry/store/remembered_layers.hpp"

namespace kiln {

namespace {

fs::path slot_path(const HomeLayout& home, std::string_view slot) {
  return home.steps() / StepCache::kSlotsFolder / std::string(oci::sha256_of(slot).hex());
}

// Whether a registry had the blob, as far as is known here: who needs it asks.
bool is_at_registry(const ContentStore& store, const oci::Digest& blob) {
  return blob_info(store, blob) && !seen_places(store, blob).empty();
}

std::vector<std::string> keys_in_slot(const HomeLayout& home, std::string_view slot) {
  std::vector<std::string> keys;
  const std::string text = read_note(slot_path(home, slot), 4096).value_or("");
  for (const std::string_view line : split(text, '\n')) {
    if (is_step_key(line)) keys.emplace_back(line);
  }
  return keys;
}

}  // namespace

fs::path StepCache::path_of(std::string_view key) const {
  return store_.home().steps() / std::string(key.substr(0, 2)) / std::string(key);
}

std::optional<StepRecord> StepCache::load(std::string_view key, std::string& problem) {
  const fs::path path = path_of(key);
  try {
    const auto text = read_file_if_exists(path);
    if (!text) return std::nullopt;
    return parse_step_record(*text, key, fmt::format("step record '{}'", path.native()));
  } catch (const Error& error) {
    problem = error.message();
    return std::nullopt;
  }
}

StepCache::Lookup StepCache::find(std::string_view key) {
  Lookup lookup;
  lookup.record = load(key, lookup.miss.reason);
  if (!lookup.record) return lookup;
  for (const LayerValue& layer : lookup.record->layers) {
    for (const LayerBlob& blob : layer.blobs) {
      store_.lease(blob.descriptor.digest);
      if (store_.has(blob.descriptor.digest) || is_at_registry(store_, blob.descriptor.digest)) continue;
      lookup.miss = {fmt::format("its layer {} is no longer in the store", blob.descriptor.digest.short_hex()),
                     MissKind::layer_gone};
      lookup.record.reset();
      return lookup;
    }
    if (layer.index) {
      store_.lease(layer.index->digest);
      if (!store_.has(layer.index->digest)) {
        lookup.miss = {fmt::format("the file index of layer {} is no longer in the store", layer.diff_id.short_hex()),
                       MissKind::layer_gone};
        lookup.record.reset();
        return lookup;
      }
    }
  }
  ::utimensat(AT_FDCWD, path_of(key).c_str(), nullptr, 0);
  return lookup;
}

std::vector<StepCache::StoredRecord> StepCache::stored_records() const {
  std::vector<StoredRecord> records;
  const fs::path top = store_.home().steps();
  for (const std::string& folder : list_directory(top)) {
    if (folder.size() != 2) continue;
    for (const std::string& key : list_directory(top / folder)) {
      struct stat info;
      const fs::path file = top / folder / key;
      if (!is_step_key(key) || ::lstat(file.c_str(), &info) != 0) continue;
      records.push_back({key, file, static_cast<std::uint64_t>(info.st_size), info.st_mtime});
    }
  }
  return records;
}

void StepCache::store(const StepRecord& record) {
  store_.sync();
  const fs::path path = path_of(record.key);
  make_directories(path.parent_path());
  write_file_atomically(path, serialise(record));
}

void StepCache::adopt(const StepRecord& record) {
  const fs::path path = path_of(record.key);
  make_directories(path.parent_path());
  write_file_atomically(path, serialise(record), Durability::ephemeral);
}

std::optional<FileLock> StepCache::try_lock(std::string_view key) {
  const fs::path folder = store_.home().locks() / "steps";
  make_directories(folder);
  return FileLock::try_acquire(folder / std::string(key.substr(0, 4)), LockMode::exclusive);
}

std::vector<StepRecord> StepCache::earlier_in_slot(std::string_view slot) {
  std::vector<StepRecord> records;
  for (const std::string& key : keys_in_slot(store_.home(), slot)) {
    std::string problem;
    if (auto record = load(key, problem)) records.push_back(std::move(*record));
  }
  return records;
}

void StepCache::remember_slot(std::string_view slot, std::string_view key) {
  std::vector<std::string> keys = keys_in_slot(store_.home(), slot);
  if (!keys.empty() && keys.front() == key) return;
  std::erase(keys, key);
  keys.emplace(keys.begin(), key);
  if (keys.size() > kRememberedKeys) keys.resize(kRememberedKeys);
  const fs::path path = slot_path(store_.home(), slot);
  make_directories(path.parent_path());
  write_file_atomically(path, join(keys, "\n") + "\n", Durability::ephemeral);
}

}  // namespace kiln
