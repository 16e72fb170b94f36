#include "registry/oci/manifest.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"

namespace kiln::oci {

namespace {

using nlohmann::ordered_json;

[[noreturn]] void refuse(std::string_view where, std::string_view why) {
  throw Error(Category::network, fmt::format("{}: {}", where, why));
}

std::vector<Descriptor> descriptors(const JsonMembers& members, const char* key, std::string_view where) {
  std::vector<Descriptor> result;
  members.each_or_none(key,
                       [&](const JsonMembers& item) { result.push_back(descriptor_from_json(item.value(), where)); });
  return result;
}

// The specification's order of members, so that kiln's manifests look like everybody else's.
ordered_json ordered(const Descriptor& descriptor) {
  ordered_json result;
  result["mediaType"] = descriptor.media_type;
  result["digest"] = descriptor.digest.str();
  result["size"] = descriptor.size;
  if (!descriptor.urls.empty()) result["urls"] = descriptor.urls;
  if (!descriptor.annotations.empty()) result["annotations"] = descriptor.annotations;
  if (!descriptor.artifact_type.empty()) result["artifactType"] = descriptor.artifact_type;
  if (descriptor.platform) result["platform"] = ordered_json(to_json(*descriptor.platform));
  return result;
}

ordered_json ordered(const std::vector<Descriptor>& list) {
  ordered_json result = ordered_json::array();
  for (const Descriptor& descriptor : list) result.push_back(ordered(descriptor));
  return result;
}

void check_exclusive(const JsonMembers& members, std::string_view where) {
  if (members.has("layers") && members.has("manifests")) {
    refuse(where, "has both 'layers' and 'manifests', so it means different things to different clients");
  }
}

// Of a document whose media type says what it is: others may go by its members.
void check_kind(const JsonMembers& members, std::initializer_list<const char*> foreign, std::string_view kind,
                std::string_view where) {
  for (const char* member : foreign) {
    if (members.has(member)) refuse(where, fmt::format("has '{}', which {} has not", member, kind));
  }
}

void check_schema_version(const JsonMembers& members, std::string_view where) {
  const std::int64_t version = members.integer_or("schemaVersion", 0);
  if (version == 1)
    refuse(where, "is a docker schema 1 manifest, which no current registry or client supports; push the image anew");
  if (version != 2) refuse(where, fmt::format("schemaVersion is {}, expected 2", version));
}

// A manifest says what was asked for or is none: no other characters take the place of what is no UTF-8.
std::string exact_text(const ordered_json& document) {
  auto text = strict_json_text(document);
  if (!text) throw Error(Category::usage, "an annotation is not valid UTF-8, which a manifest cannot hold");
  return *std::move(text);
}

}  // namespace

Manifest parse_manifest(std::string_view text, std::string_view where) {
  const nlohmann::json value = parse_json(text, where, Category::network);
  const auto refusal = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refusal);
  check_schema_version(members, where);
  check_exclusive(members, where);
  Manifest manifest;
  if (members.has("mediaType")) manifest.media_type = members.string("mediaType");
  if (!media_type::is_manifest(manifest.media_type)) {
    refuse(where, fmt::format("media type '{}' is not that of an image manifest", printable(manifest.media_type)));
  }
  check_kind(members, {"manifests"}, "an image manifest", where);
  const auto* config = members.find("config");
  if (!config) refuse(where, "has no 'config'");
  manifest.config = descriptor_from_json(*config, where);
  manifest.layers = descriptors(members, "layers", where);
  manifest.artifact_type = members.string_or("artifactType");
  manifest.annotations = members.string_map_or_none("annotations");
  if (const auto* subject = members.find("subject")) manifest.subject = descriptor_from_json(*subject, where);
  return manifest;
}

Index parse_index(std::string_view text, std::string_view where) {
  const nlohmann::json value = parse_json(text, where, Category::network);
  const auto refusal = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refusal);
  check_schema_version(members, where);
  check_exclusive(members, where);
  Index index;
  if (members.has("mediaType")) index.media_type = members.string("mediaType");
  if (!media_type::is_index(index.media_type)) {
    refuse(where, fmt::format("media type '{}' is not that of an image index", printable(index.media_type)));
  }
  check_kind(members, {"layers", "config"}, "an image index", where);
  index.manifests = descriptors(members, "manifests", where);
  index.artifact_type = members.string_or("artifactType");
  index.annotations = members.string_map_or_none("annotations");
  if (const auto* subject = members.find("subject")) index.subject = descriptor_from_json(*subject, where);
  return index;
}

std::string serialise(const Manifest& manifest) {
  ordered_json result;
  result["schemaVersion"] = 2;
  result["mediaType"] = manifest.media_type;
  if (!manifest.artifact_type.empty()) result["artifactType"] = manifest.artifact_type;
  result["config"] = ordered(manifest.config);
  result["layers"] = ordered(manifest.layers);
  if (manifest.subject) result["subject"] = ordered(*manifest.subject);
  if (!manifest.annotations.empty()) result["annotations"] = manifest.annotations;
  return exact_text(result);
}

std::string serialise(const Index& index) {
  ordered_json result;
  result["schemaVersion"] = 2;
  result["mediaType"] = index.media_type;
  if (!index.artifact_type.empty()) result["artifactType"] = index.artifact_type;
  result["manifests"] = ordered(index.manifests);
  if (index.subject) result["subject"] = ordered(*index.subject);
  if (!index.annotations.empty()) result["annotations"] = index.annotations;
  return exact_text(result);
}

std::string index_text_with(std::string_view index_text, const Descriptor& entry) {
  ordered_json document = parse_own_ordered_json(index_text);
  ordered_json& manifests = document["manifests"];
  if (!manifests.is_array()) manifests = ordered_json::array();
  manifests.push_back(ordered(entry));
  return exact_text(document);
}

std::string detect_media_type(std::string_view text, std::string_view where) {
  const nlohmann::json value = parse_json(text, where, Category::network);
  const auto refusal = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refusal);
  check_exclusive(members, where);
  if (members.has("mediaType")) return members.string("mediaType");
  return members.has("manifests") ? media_type::kOciIndex : media_type::kOciManifest;
}

}  // namespace kiln::oci
