#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/digest.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::oci {

namespace media_type {
inline constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kOciLayer[] = "application/vnd.oci.image.layer.v1.tar";
inline constexpr char kOciLayerGzip[] = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr char kOciLayerZstd[] = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr char kOciEmpty[] = "application/vnd.oci.empty.v1+json";
inline constexpr char kInToto[] = "application/vnd.in-toto+json";
inline constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kDockerManifestList[] = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kDockerConfig[] = "application/vnd.docker.container.image.v1+json";
inline constexpr char kDockerLayerGzip[] = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr char kDockerForeignLayerGzip[] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

bool is_manifest(std::string_view type);  // OCI manifest or docker schema 2
bool is_index(std::string_view type);     // OCI index or docker manifest list
// A layer that by its type stays where it is and is not pushed (OCI image spec, layer.md, "Non-Distributable Layers").
bool is_foreign_layer(std::string_view type);
}  // namespace media_type

using Annotations = std::map<std::string, std::string>;

// A typed pointer to content (OCI image spec, descriptor.md).
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  // bytes of the blob
  Annotations annotations;
  std::optional<Platform> platform;
  std::string artifact_type;
  std::vector<std::string> urls = {};  // where else it can be had ("foreign" layers)

  bool operator==(const Descriptor&) const = default;
};

// `where` names the document in errors, which are Error{network}: descriptors come from registries.
Descriptor descriptor_from_json(const nlohmann::json& value, std::string_view where);
nlohmann::json to_json(const Descriptor& descriptor);

nlohmann::json to_json(const Platform& platform);
Platform platform_from_json(const nlohmann::json& value, std::string_view where);

}  // namespace kiln::oci
