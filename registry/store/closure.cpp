#include "registry/store/closure.hpp"

#include <fmt/format.h>

#include <set>

#include "registry/oci/manifest.hpp"

namespace kiln {

std::vector<oci::Descriptor> closure_of(const ContentStore& store, const oci::Descriptor& root, Absent absent) {
  std::vector<oci::Descriptor> result;
  std::set<oci::Digest> seen;
  std::vector<oci::Descriptor> open_ends{root};
  while (!open_ends.empty()) {
    const oci::Descriptor item = std::move(open_ends.back());
    open_ends.pop_back();
    if (!seen.insert(item.digest).second) continue;
    result.push_back(item);
    if (absent == Absent::kept && !store.has(item.digest)) continue;
    const std::string where = fmt::format("manifest '{}'", item.digest.str());
    if (oci::media_type::is_index(item.media_type)) {
      const oci::Index index = oci::parse_index(store.read(item.digest, oci::kMaxManifestBytes), where);
      open_ends.insert(open_ends.end(), index.manifests.begin(), index.manifests.end());
    } else if (oci::media_type::is_manifest(item.media_type)) {
      const oci::Manifest manifest = oci::parse_manifest(store.read(item.digest, oci::kMaxManifestBytes), where);
      open_ends.push_back(manifest.config);
      open_ends.insert(open_ends.end(), manifest.layers.begin(), manifest.layers.end());
    }
  }
  return result;
}

std::vector<oci::Descriptor> missing_blobs(const ContentStore& store, const oci::Descriptor& root) {
  std::vector<oci::Descriptor> result;
  for (const oci::Descriptor& item : closure_of(store, root, Absent::kept)) {
    if (store.size_of(item.digest) != item.size) result.push_back(item);
  }
  return result;
}

}  // namespace kiln
