#include "builder/cache/registry_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxEmbeddedBytes = std::size_t{256} << 10;
constexpr std::size_t kParallelLookups = 8;
constexpr char kEntrySignatureAnnotation[] = "dev.kiln.signature";
constexpr char kContentAnnotation[] = "dev.kiln.content";
constexpr char kEmptyType[] = "application/vnd.oci.empty.v1+json";
constexpr UnixSeconds kDay = 24 * 3600;

oci::Descriptor content_of(const CacheEntry& entry) {
  return {entry.media_type, oci::sha256_of(entry.content), entry.content.size(), {}, {}, {}};
}

const oci::Descriptor& empty_config() {
  static const oci::Descriptor empty{kEmptyType, oci::sha256_of("{}"), 2, {}, {}, {}};
  return empty;
}

bool stands_in_annotation(const CacheEntry& entry) { return entry.media_type == kClaimEntryType; }

std::string annotated_manifest_of(const CacheEntry& entry) {
  nlohmann::json notes = {{kContentAnnotation, entry.content},
                          {oci::kCreatedAnnotation, format_rfc3339(now_unix_seconds())}};
  if (!entry.signature.empty()) notes[kEntrySignatureAnnotation] = entry.signature;
  return json_text(nlohmann::json{{"schemaVersion", 2},
                                  {"mediaType", oci::media_type::kOciManifest},
                                  {"artifactType", entry.media_type},
                                  {"config", oci::to_json(empty_config())},
                                  {"layers", nlohmann::json::array({oci::to_json(empty_config())})},
                                  {"annotations", notes}});
}

std::string manifest_of(const CacheEntry& entry, UnixSeconds now) {
  nlohmann::json config = oci::to_json(content_of(entry));
  if (entry.content.size() <= kMaxEmbeddedBytes) config["data"] = base64_encoded(entry.content);
  nlohmann::json layers = nlohmann::json::array();
  for (const oci::Descriptor& blob : entry.blobs) layers.push_back(oci::to_json(blob));
  nlohmann::json manifest = {{"schemaVersion", 2},
                             {"mediaType", oci::media_type::kOciManifest},
                             {"artifactType", entry.media_type},
                             {"config", config},
                             {"layers", layers}};
  manifest["annotations"] = {{oci::kCreatedAnnotation, format_rfc3339(now - now % kDay)}};
  if (!entry.signature.empty()) manifest["annotations"][kEntrySignatureAnnotation] = entry.signature;
  return json_text(manifest);
}

}  // namespace

RegistryBackend::RegistryBackend(const std::string& reference, RemoteSession& session)
    : session_(session),
      place_(session.repository_of(oci::Reference::parse(reference))),
      name_("registry " + place_.name()) {}

std::optional<CacheEntry> RegistryBackend::parse(const std::string& text, const std::string& key,
                                                 const std::string& where) {
  const nlohmann::json manifest = parse_json(text, where, Category::network);
  const auto need = [&](bool is_right) {
    if (!is_right) throw Error(Category::network, where + ": it is no cache entry");
  };
  need(manifest.is_object() && manifest.contains("config") && manifest.contains("layers") &&
       manifest["layers"].is_array());
  const oci::Descriptor config = oci::descriptor_from_json(manifest["config"], where);
  need(config.size <= kMaxEntryBytes);
  CacheEntry entry;
  entry.key = key;
  entry.media_type = config.media_type;
  if (config.media_type == kEmptyType) {
    const auto text_of = [&](const nlohmann::json& object, const char* name) {
      need(object.is_object() && object.contains(name) && object[name].is_string());
      return object[name].get<std::string>();
    };
    entry.media_type = text_of(manifest, "artifactType");
    need(manifest.contains("annotations"));
    const nlohmann::json& notes = manifest["annotations"];
    entry.content = text_of(notes, kContentAnnotation);
    if (notes.contains(kEntrySignatureAnnotation)) entry.signature = text_of(notes, kEntrySignatureAnnotation);
    return entry;
  }
  for (const nlohmann::json& layer : manifest["layers"]) entry.blobs.push_back(oci::descriptor_from_json(layer, where));
  if (const auto notes = manifest.find("annotations"); notes != manifest.end())
    entry.signature = string_member(*notes, kEntrySignatureAnnotation);
  const auto data = manifest["config"].find("data");
  if (data != manifest["config"].end() && data->is_string()) {
    entry.content = base64_decoded(data->get<std::string>()).value_or("");
    if (entry.content.size() != config.size || oci::sha256_of(entry.content) != config.digest) {
      throw Error(Category::network, where + ": its embedded content has not the digest of its config");
    }
  } else {
    auto content = session_.client(place_.endpoint).find_blob_bytes(place_.repository, config, kMaxEntryBytes);
    if (!content) return std::nullopt;
    entry.content = std::move(*content);
  }
  return entry;
}

CacheFinding RegistryBackend::find_one(const std::string& key) {
  CacheFinding finding;
  try {
    const auto manifest = session_.client(place_.endpoint).find_manifest(place_.repository, key);
    if (manifest) finding.entry = parse(manifest->bytes, key, fmt::format("cache entry '{}:{}'", place_.name(), key));
  } catch (const RegistryError&) {
    throw;
  } catch (const TransportError&) {
    throw;
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    finding.reason = error.message();
  }
  return finding;
}

std::vector<CacheFinding> RegistryBackend::find(std::span<const std::string> keys) {
  std::vector<CacheFinding> findings(keys.size());
  if (keys.size() == 1) return {find_one(keys[0])};
  ThreadPool pool(std::clamp<std::size_t>(keys.size(), 1, kParallelLookups));
  pool.parallel_for(keys.size(), [&](std::size_t i) { findings[i] = find_one(keys[i]); });
  return findings;
}

void RegistryBackend::put(const CacheEntry& entry) {
  RegistryClient client = session_.client(place_.endpoint);
  if (stands_in_annotation(entry)) {
    const oci::Descriptor& empty = empty_config();
    if (!has_empty_config_ && !client.find_blob(place_.repository, empty.digest).is_there)
      client.upload_bytes(place_.repository, empty, "{}");
    has_empty_config_ = true;
    client.put_manifest(place_.repository, entry.key, annotated_manifest_of(entry), oci::media_type::kOciManifest);
    return;
  }
  const oci::Descriptor content = content_of(entry);
  if (!client.find_blob(place_.repository, content.digest).is_there)
    client.upload_bytes(place_.repository, content, entry.content);
  client.put_manifest(place_.repository, entry.key, manifest_of(entry, session_.clock().unix_seconds()),
                      oci::media_type::kOciManifest);
}

// Many registries delete nothing; then it is tried once.
bool RegistryBackend::remove(const CacheEntry& entry) {
  if (refuses_delete_) return false;
  try {
    session_.client(place_.endpoint).delete_manifest(place_.repository, entry.key);
  } catch (const RegistryError&) {
    refuses_delete_ = true;
  }
  return !refuses_delete_;
}

bool RegistryBackend::has_blob(const oci::Descriptor& blob) {
  return session_.client(place_.endpoint).find_blob(place_.repository, blob.digest).matches(blob);
}

bool RegistryBackend::get_blob(const oci::Descriptor& blob, ContentStore& store) {
  try {
    return session_.client(place_.endpoint).download_blob_if_there(place_.repository, blob, store);
  } catch (const RegistryError&) {
    throw;
  } catch (const TransportError&) {
    throw;
  } catch (const Error& error) {
    if (error.category() == Category::network) damaged_.add(blob.digest);
    throw;
  }
}

bool RegistryBackend::put_blob(const oci::Descriptor& blob, const ContentStore& store,
                               std::span<const RemoteRepository> elsewhere) {
  const bool is_damaged = damaged_.has(blob.digest);
  if (!is_damaged && has_blob(blob)) return true;
  RegistryClient client = session_.client(place_.endpoint);
  for (const RemoteRepository& other : elsewhere) {
    if (is_damaged || other.endpoint != place_.endpoint || other.repository == place_.repository) continue;
    // A registry may say 201 and not have it at the next question; it is asked.
    if (client.mount_blob(place_.repository, blob, other.repository) && has_blob(blob)) return true;
  }
  if (!store.has(blob.digest)) return false;
  client.upload_blob(place_.repository, blob, *stored_blob(store, blob));
  return true;
}

}  // namespace kiln
