#include "builder/solve/image_assembly.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/run/overlay.hpp"
#include "builder/solve/machine_check.hpp"

namespace kiln {

namespace {

std::string layer_media_type(const LayerBlob& blob, bool oci_media_types) {
  if (oci_media_types) return blob.compression.media_type();
  switch (blob.compression.kind) {
    case CompressionKind::gzip:
      return oci::media_type::kDockerLayerGzip;
    case CompressionKind::none:
      return "application/vnd.docker.image.rootfs.diff.tar";
    case CompressionKind::zstd:
      return "application/vnd.docker.image.rootfs.diff.tar.zstd";
  }
  return blob.compression.media_type();
}

}  // namespace

bool is_recompressed(const ImageLayer& layer, const AssemblyOptions& options) {
  return (layer.is_own || options.force_compression) && !layer.value.blob_of(options.compression);
}

namespace {

// The form of the layer that the image names.
LayerBlob wanted_blob(LayerAccess& access, ImageLayer& layer, const AssemblyOptions& options) {
  if (!layer.is_own && !options.force_compression) return layer.value.blobs.front();
  if (const LayerBlob* blob = layer.value.blob_of(options.compression)) return *blob;
  ImageLayer local = layer;
  local.value.blobs = {still_there(access.blobs().local(layer))};
  layer.value = recompress_layer(access.store(), access.pool(), local.value, options.compression, access.cancel());
  return *layer.value.blob_of(options.compression);
}

// The time that entries before the first layer with one get: that of the first one after an entry without.
std::string first_new_time(const std::vector<oci::HistoryEntry>& history) {
  std::string time;
  bool has_gap = false;
  for (const oci::HistoryEntry& entry : history) {
    if (entry.created.empty()) {
      has_gap = true;
      continue;
    }
    time = entry.created;
    if (has_gap) break;
  }
  return time.empty() ? format_rfc3339(now_unix_seconds()) : time;
}

// BuildKit's rule: an entry without a layer has the time of the layer before it, and the image that of its last entry.
// So a build that comes from the cache alone has the same config again.
void set_times_of_layers(oci::ImageConfig& image) {
  std::string time = first_new_time(image.history);
  bool has_gap = false;
  for (oci::HistoryEntry& entry : image.history) {
    if (entry.created.empty()) {
      has_gap = true;
      entry.created = time;
    } else if (has_gap) {
      time = entry.created;
    }
  }
  image.created = image.history.empty() ? time : image.history.back().created;
}

void set_times(oci::ImageConfig& image, std::optional<UnixSeconds> created) {
  if (!created) return set_times_of_layers(image);
  const std::string text = format_rfc3339(*created);
  image.created = text;
  for (oci::HistoryEntry& entry : image.history) {
    if (entry.created.empty()) entry.created = text;
  }
}

[[noreturn]] void refuse_layer(const ImageLayer& layer, const std::string& why) {
  const std::string place = layer.file.empty() ? "" : fmt::format("{}:{}: ", printable(layer.file), layer.line);
  throw Error(Category::build, place + why);
}

// What stages among themselves may have, and an image that others read may not.
void refuse_what_no_image_holds(const ImageLayers& layers) {
  for (const ImageLayer& layer : layers) {
    for (const LayerBlob& blob : layer.value.blobs) {
      const auto name = blob.descriptor.annotations.find(std::string(kOrdinaryNameAnnotation));
      if (name == blob.descriptor.annotations.end()) continue;
      refuse_layer(layer, fmt::format("'{}' cannot be in an image: names that begin with '{}' mean removed files "
                                      "there; keep it in a stage that the image is not built on",
                                      printable(name->second), kWhiteoutPrefix));
    }
  }
  if (layers.size() > kMaxLayers) {
    refuse_layer(layers[kMaxLayers], fmt::format("the image has {} layers from here on, expected at most {}: container "
                                                 "engines start no image with more; join steps, or copy the files of a "
                                                 "stage into another one",
                                                 layers.size(), kMaxLayers));
  }
}

}  // namespace

AssembledImage assemble_image(LayerAccess& access, oci::ImageConfig config, ImageLayers layers,
                              const AssemblyOptions& options, const std::optional<BaseOrigin>& base) {
  AssembledImage result;
  result.image = std::move(config);
  result.layers = std::move(layers);
  if (options.is_run_as_image) refuse_what_no_image_holds(result.layers);
  result.parsed.media_type = options.oci_media_types ? oci::media_type::kOciManifest : oci::media_type::kDockerManifest;
  for (ImageLayer& layer : result.layers) {
    const LayerBlob blob = wanted_blob(access, layer, options);
    oci::Descriptor descriptor = blob.descriptor;
    descriptor.media_type = layer_media_type(blob, options.oci_media_types);
    descriptor.annotations.clear();
    // A foreign layer becomes one like others, as with BuildKit: registries refuse urls. So it must be here to be sent.
    if (!descriptor.urls.empty()) still_there(access.blobs().local(layer));
    descriptor.urls.clear();
    result.parsed.layers.push_back(descriptor);
    std::erase_if(layer.value.blobs,
                  [&](const LayerBlob& other) { return other.descriptor.digest == blob.descriptor.digest; });
    layer.value.blobs.insert(layer.value.blobs.begin(), blob);
  }
  for (const auto& [key, value] : options.env) oci::set_env(result.image.config.env, key, value);
  for (const auto& [key, value] : options.labels) result.image.config.labels[key] = value;
  result.image.diff_ids = diff_ids_of(result.layers);
  if (options.platform) result.image.platform = *options.platform;
  set_times(result.image, options.created);
  if (options.is_run_as_image) check_machines(access, result.image, result.layers, base);
  const char* config_type = options.oci_media_types ? oci::media_type::kOciConfig : oci::media_type::kDockerConfig;
  result.config = access.store().put(serialise(result.image), config_type, Durability::ephemeral);
  result.parsed.config = result.config;
  result.parsed.annotations = options.annotations;
  result.manifest = access.store().put(serialise(result.parsed), result.parsed.media_type, Durability::ephemeral);
  result.manifest.platform = result.image.platform;
  return result;
}

}  // namespace kiln
