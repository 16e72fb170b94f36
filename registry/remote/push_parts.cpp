#include "registry/remote/push_parts.hpp"

#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

constexpr std::size_t kMostStepText = 80;
constexpr char kSource[] = "org.opencontainers.image.source";

std::string where_of(const Digest& digest) { return fmt::format("manifest '{}'", digest.str()); }

void collect(const ContentStore& store, const Descriptor& root, PushParts& parts, std::set<Digest>& seen) {
  if (!seen.insert(root.digest).second) return;
  std::string bytes = store.read(root.digest);
  if (oci::media_type::is_index(root.media_type)) {
    for (const Descriptor& child : oci::parse_index(bytes, where_of(root.digest)).manifests)
      collect(store, child, parts, seen);
  } else {
    const oci::Manifest manifest = oci::parse_manifest(bytes, where_of(root.digest));
    if (seen.insert(manifest.config.digest).second) parts.blobs.push_back(manifest.config);
    for (const Descriptor& layer : manifest.layers) {
      if (!oci::media_type::is_foreign_layer(layer.media_type) && seen.insert(layer.digest).second)
        parts.blobs.push_back(layer);
    }
  }
  parts.manifests.push_back({root, std::move(bytes)});
}

bool is_image_config(const Descriptor& config) {
  return config.media_type == oci::media_type::kOciConfig || config.media_type == oci::media_type::kDockerConfig;
}

// The text of the instruction that made the layer of this number; "" where the config does not tell.
std::string step_of_layer(const ContentStore& store, const Descriptor& config, std::size_t number) {
  if (!is_image_config(config) || !store.has(config.digest)) return {};
  const oci::ImageConfig parsed =
      oci::parse_image_config(store.read(config.digest), fmt::format("config '{}'", config.digest.str()));
  std::size_t layer = 0;
  for (const oci::HistoryEntry& entry : parsed.history) {
    if (!entry.empty_layer && layer++ == number) return printable(oci::instruction_of(entry).substr(0, kMostStepText));
  }
  return {};
}

}  // namespace

PushParts parts_of_image(const ContentStore& store, const Descriptor& root) {
  PushParts parts;
  std::set<Digest> seen;
  collect(store, root, parts, seen);
  return parts;
}

std::string name_of_blob(const ContentStore& store, const PushParts& parts, const Digest& blob) {
  for (const ManifestBytes& part : parts.manifests) {
    if (oci::media_type::is_index(part.descriptor.media_type)) continue;
    const oci::Manifest manifest = oci::parse_manifest(part.bytes, where_of(part.descriptor.digest));
    if (manifest.config.digest == blob) return "config";
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      if (manifest.layers[i].digest != blob) continue;
      const std::string step = step_of_layer(store, manifest.config, i);
      return fmt::format("layer {} of {}{}", i + 1, manifest.layers.size(),
                         step.empty() ? "" : fmt::format(" ('{}')", step));
    }
  }
  return fmt::format("blob '{}'", blob.str());
}

bool names_its_source(const ContentStore& store, const PushParts& parts) {
  for (const ManifestBytes& part : parts.manifests) {
    if (oci::media_type::is_index(part.descriptor.media_type)) continue;
    const oci::Manifest manifest = oci::parse_manifest(part.bytes, where_of(part.descriptor.digest));
    const Digest& config = manifest.config.digest;
    if (manifest.annotations.contains(kSource) || !is_image_config(manifest.config) || !store.has(config)) continue;
    if (!oci::parse_image_config(store.read(config), fmt::format("config '{}'", config.str()))
             .config.labels.contains(kSource))
      return false;
  }
  return true;
}

bool misses_a_part(const RegistryError& error) {
  return error.has_code("MANIFEST_BLOB_UNKNOWN") || error.has_code("BLOB_UNKNOWN") ||
         error.has_code("MANIFEST_UNKNOWN") || to_lower(error.message()).find("blob unknown") != std::string::npos;
}

}  // namespace kiln
