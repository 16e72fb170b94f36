#include "registry/store/image_names.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/text.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/index_json.hpp"

namespace kiln {

namespace {

// The entry of index.json for a descriptor under a name.
nlohmann::json index_entry(const NamedImage& image) {
  oci::Descriptor descriptor = image.descriptor;
  descriptor.annotations[kRefNameAnnotation] = image.name;
  return oci::to_json(descriptor);
}

void check_name(const std::string& name) {
  if (name.empty() || printable(name) != name) {
    throw Error(Category::usage, fmt::format("'{}' cannot be the name of an image", printable(name)));
  }
}

}  // namespace

void publish_images(ContentStore& store, std::span<const NamedImage> images) {
  if (images.empty()) return;
  for (const NamedImage& image : images) check_name(image.name);
  const FileLock lock = FileLock::acquire(store.home().locks() / "store", LockMode::exclusive);
  // Under the lock, so that no gc takes a blob between this check and the new index.json.
  std::set<oci::Digest> needed;
  for (const NamedImage& image : images) {
    std::vector<oci::Descriptor> items = closure_of(store, image.descriptor, Absent::kept);
    for (const oci::Descriptor& item : items) needed.insert(item.digest);
    std::erase_if(items, [&](const oci::Descriptor& item) { return store.size_of(item.digest) == item.size; });
    if (items.empty()) continue;
    throw Error(Category::machine,
                fmt::format("image '{}' cannot be named: {} of its blobs are not in the store, the first is '{}'",
                            image.name, items.size(), items.front().digest.str()));
  }
  const fs::path path = store.home().oci() / "index.json";
  const nlohmann::json before = read_index_file(path);
  nlohmann::json after = before;
  std::map<std::string, nlohmann::json> named;
  for (const NamedImage& image : images) named[image.name] = index_entry(image);
  nlohmann::json entries = nlohmann::json::array();
  for (const auto& entry : before["manifests"]) {
    const auto found = named.find(ref_name_of(entry));
    if (found == named.end()) {
      entries.push_back(entry);
    } else if (!found->second.is_null()) {
      entries.push_back(std::exchange(found->second, nullptr));
    }
  }
  for (auto& [name, entry] : named) {
    if (!entry.is_null()) entries.push_back(std::move(entry));
  }
  after["manifests"] = std::move(entries);
  if (after == before) return;
  // All of them: what this process found in the store may be another's that has not synced yet.
  store.sync(needed);
  write_index_file(path, after);
}

std::vector<std::string> unpublish_images(const ContentStore& store, std::span<const std::string> names) {
  const FileLock lock = FileLock::acquire(store.home().locks() / "store", LockMode::exclusive);
  const fs::path path = store.home().oci() / "index.json";
  nlohmann::json index = read_index_file(path);
  const std::set<std::string> wanted(names.begin(), names.end());
  std::vector<std::string> removed;
  nlohmann::json entries = nlohmann::json::array();
  for (auto& entry : index["manifests"]) {
    const std::string name = ref_name_of(entry);
    if (!name.empty() && wanted.count(name)) {
      removed.push_back(name);
    } else {
      entries.push_back(std::move(entry));
    }
  }
  index["manifests"] = std::move(entries);
  if (!removed.empty()) write_index_file(path, index);
  return removed;
}

std::optional<oci::Descriptor> find_image(const ContentStore& store, std::string_view name) {
  for (const NamedImage& image : named_images(store)) {
    if (image.name == name) return image.descriptor;
  }
  return std::nullopt;
}

std::vector<NamedImage> named_images(const ContentStore& store) {
  const fs::path path = store.home().oci() / "index.json";
  std::vector<NamedImage> result;
  const nlohmann::json index = read_index_file(path);
  for (const auto& entry : index["manifests"]) {
    result.push_back({ref_name_of(entry), descriptor_of_entry(entry, path)});
  }
  return result;
}

}  // namespace kiln
