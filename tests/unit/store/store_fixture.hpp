#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/temp_dir.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/garbage.hpp"
#include "registry/store/image_names.hpp"
#include "tests/support/error_of.hpp"

namespace kiln {

// A home of its own, and images to fill it with.
struct StoreFixture {
  TempDir folder;
  HomeLayout home = HomeLayout::open(folder.path() / "home");
  ContentStore store{home};

  fs::path index_path() const { return home.oci() / "index.json"; }
};

// A manifest in the store with a config and the given layers, all of it made of the texts.
inline oci::Descriptor put_image(ContentStore& store, std::string_view config, const std::vector<std::string>& layers) {
  oci::Manifest manifest;
  manifest.config = store.put(config, oci::media_type::kOciConfig);
  for (const std::string& layer : layers) manifest.layers.push_back(store.put(layer, oci::media_type::kOciLayer));
  return store.put(oci::serialise(manifest), manifest.media_type);
}

inline std::vector<std::string> names_of(const std::vector<NamedImage>& images) {
  std::vector<std::string> names;
  for (const NamedImage& image : images) names.push_back(image.name);
  return names;
}

// A collection with roots that are known beforehand.
inline GarbageReport collect_garbage_except(ContentStore& store, const std::set<oci::Digest>& roots, DryRun dry_run) {
  return collect_garbage(
      store, [&] { return roots; }, dry_run);
}

}  // namespace kiln
