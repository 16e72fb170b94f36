#include "registry/oci/descriptor.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "base/json_members.hpp"

namespace kiln::oci {

namespace media_type {
bool is_manifest(std::string_view type) { return type == kOciManifest || type == kDockerManifest; }
bool is_index(std::string_view type) { return type == kOciIndex || type == kDockerManifestList; }
bool is_foreign_layer(std::string_view type) {
  return type.find(".nondistributable.") != std::string_view::npos ||
         type.starts_with("application/vnd.docker.image.rootfs.foreign.");
}
}  // namespace media_type

Platform platform_from_json(const nlohmann::json& value, std::string_view where) {
  const auto refuse = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refuse);
  Platform platform;
  platform.os = members.string_or("os");
  platform.architecture = members.string_or("architecture");
  platform.variant = members.string_or("variant");
  platform.os_version = members.string_or("os.version");
  if (platform.architecture == "arm64" && platform.variant == "v8") platform.variant.clear();
  return platform;
}

nlohmann::json to_json(const Platform& platform) {
  nlohmann::json result = {{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.os_version.empty()) result["os.version"] = platform.os_version;
  if (!platform.variant.empty()) result["variant"] = platform.variant;
  return result;
}

Descriptor descriptor_from_json(const nlohmann::json& value, std::string_view where) {
  const auto refuse = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refuse);
  Descriptor descriptor;
  descriptor.media_type = members.string_or("mediaType");
  descriptor.digest = Digest::parse(members.string_or("digest"), std::string(where) + ": digest", Category::network);
  const std::int64_t size = members.integer_or("size", -1);
  if (size < 0) members.refuse("size", "expected a number of bytes");
  descriptor.size = static_cast<std::uint64_t>(size);
  descriptor.annotations = members.string_map_or_none("annotations");
  descriptor.artifact_type = members.string_or("artifactType");
  descriptor.urls = members.strings_or_none("urls");
  if (const auto* platform = members.find("platform")) descriptor.platform = platform_from_json(*platform, where);
  return descriptor;
}

nlohmann::json to_json(const Descriptor& descriptor) {
  nlohmann::json result = {
      {"mediaType", descriptor.media_type}, {"digest", descriptor.digest.str()}, {"size", descriptor.size}};
  if (!descriptor.annotations.empty()) result["annotations"] = descriptor.annotations;
  if (!descriptor.artifact_type.empty()) result["artifactType"] = descriptor.artifact_type;
  if (descriptor.platform) result["platform"] = to_json(*descriptor.platform);
  if (!descriptor.urls.empty()) result["urls"] = descriptor.urls;
  return result;
}

}  // namespace kiln::oci
