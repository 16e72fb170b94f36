#include "registry/remote/release_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

namespace {

constexpr std::string_view kEmptyConfig = "{}";

ReleasedImage read_image(const JsonMembers& members, Category category) {
  ReleasedImage image;
  image.name = members.string("name");
  image.repository = members.string("repository");
  const auto reference = oci::Reference::parse_if_valid(image.repository);
  if (!reference || reference->name() != image.repository || reference->tag || reference->digest)
    members.refuse("repository", fmt::format("'{}' is no repository", printable(image.repository)));
  image.tag = members.string("tag");
  if (!oci::is_valid_tag(image.tag)) members.refuse("tag", fmt::format("'{}' is no tag", printable(image.tag)));
  image.manifest.digest = oci::Digest::parse(members.string("digest"), "digest", category);
  image.manifest.size = members.unsigned_integer("size");
  image.manifest.media_type = members.string("media_type");
  if (!oci::media_type::is_manifest(image.manifest.media_type) &&
      !oci::media_type::is_index(image.manifest.media_type)) {
    members.refuse("media_type", fmt::format("'{}' is no manifest's or index's", printable(image.manifest.media_type)));
  }
  image.compressed_bytes = members.unsigned_integer("compressed_bytes");
  return image;
}

oci::Manifest manifest_of(const ReleaseRecord& release, const std::string& payload) {
  oci::Manifest manifest;
  manifest.artifact_type = kReleaseType;
  manifest.config = {oci::media_type::kOciEmpty, oci::sha256_of(kEmptyConfig), kEmptyConfig.size(), {}, {}, {}};
  manifest.layers = {{kReleaseType, oci::sha256_of(payload), payload.size(), {}, {}, {}}};
  manifest.annotations = {{oci::kCreatedAnnotation, release.created},
                          {"org.opencontainers.image.title", "release " + release.name}};
  return manifest;
}

// nullopt where the tag names something foreign that is passed over.
enum class Foreign { refused, passed_over };
std::optional<StoredRelease> read_release(RegistryClient& client, const oci::Reference& reference,
                                          const std::string& repository, const FetchedManifest& fetched,
                                          Foreign foreign) {
  const std::string where = fmt::format("release '{}'", reference.str());
  const bool is_manifest = oci::media_type::is_manifest(fetched.descriptor.media_type);
  const oci::Manifest manifest = is_manifest ? oci::parse_manifest(fetched.bytes, where) : oci::Manifest{};
  if (manifest.artifact_type != kReleaseType) {
    if (foreign == Foreign::passed_over) return std::nullopt;
    throw Error(Category::network, fmt::format("'{}' is no release of kiln: expected artifact type '{}', got '{}'",
                                               reference.str(), kReleaseType, printable(manifest.artifact_type)));
  }
  if (manifest.layers.size() != 1 || manifest.layers.front().media_type != kReleaseType) {
    throw Error(Category::network, fmt::format("{}: expected one layer of type '{}'", where, kReleaseType));
  }
  StoredRelease release;
  release.artifact = fetched.descriptor;
  release.record =
      parse_release(client.fetch_blob_bytes(repository, manifest.layers.front()), where, Category::network);
  if (release.record.name != *reference.tag) {
    throw Error(Category::network,
                fmt::format("{}: holds the record of release '{}'", where, printable(release.record.name)));
  }
  return release;
}

// What a list names may be deleted by now; what is listed still and cannot be had would be taken for no release.
// `missing`: tags, or "".
void refuse_if_still_listed(RegistryClient& client, const oci::Reference& any, const std::string& repository,
                            const std::vector<std::string>& missing) {
  const auto is_tag = [](const std::string& tag) { return !tag.empty(); };
  if (std::none_of(missing.begin(), missing.end(), is_tag)) return;
  const std::vector<std::string> now = client.find_tags(repository).value_or(TagList()).tags;
  for (const std::string& tag : missing) {
    if (!is_tag(tag) || std::find(now.begin(), now.end(), tag) == now.end()) continue;
    throw Error(Category::network, fmt::format("release '{}': the registry lists it, and answers that it is not there",
                                               any.with_tag(tag).str()));
  }
}

}  // namespace

void require_of_registry(const ReleaseRecord& release, const std::string& registry_and_namespace) {
  const auto refuse = [&](const std::string& what) {
    throw Error(Category::network, fmt::format("release '{}' of '{}' {}; a record is good for the registry that it was "
                                               "made for alone",
                                               release.name, registry_and_namespace, what));
  };
  if (release.registry != registry_and_namespace)
    refuse(fmt::format("is the record of '{}'", printable(release.registry)));
  const std::string host = registry_and_namespace.substr(0, registry_and_namespace.find('/') + 1);
  for (const ReleasedImage& image : release.images) {
    if (!image.repository.starts_with(host)) refuse(fmt::format("holds '{}'", image.repository));
  }
}

oci::Reference ReleasedImage::by_digest() const {
  oci::Reference reference = oci::Reference::parse(repository);
  reference.tag.reset();
  return reference.with_digest(manifest.digest);
}

const ReleasedImage* ReleaseRecord::find(std::string_view wanted) const {
  const auto matching = [&](auto matches) {
    const auto it = std::find_if(images.begin(), images.end(), matches);
    return it == images.end() ? nullptr : &*it;
  };
  if (const auto* image = matching([&](const ReleasedImage& each) { return each.name == wanted; })) return image;
  if (const auto* image = matching([&](const ReleasedImage& each) { return each.repository == wanted; })) return image;
  return matching(
      [&](const ReleasedImage& each) { return each.repository.substr(each.repository.rfind('/') + 1) == wanted; });
}

oci::Reference release_reference(const std::string& registry_and_namespace, const std::string& name) {
  if (!oci::is_valid_tag(name)) {
    throw Error(
        Category::usage,
        fmt::format("'{}' cannot name a release: it must be a tag (letters, digits, '_', '.', '-'; at most 128)",
                    printable(name)));
  }
  if (registry_and_namespace.empty())
    throw Error(Category::usage, "no registry is known; give one with --registry HOST[:PORT]/NAMESPACE");
  const oci::Reference reference =
      oci::Reference::parse(registry_and_namespace + "/" + kReleasesRepository + ":" + name);
  if (reference.name() != registry_and_namespace + "/" + kReleasesRepository) {
    throw Error(Category::usage,
                fmt::format("'{}' is no registry; write HOST[:PORT]/NAMESPACE", printable(registry_and_namespace)));
  }
  return reference;
}

std::string to_json_text(const ReleaseRecord& release) {
  nlohmann::ordered_json json;
  json["schema_version"] = kReleaseSchemaVersion;
  json["name"] = release.name;
  json["created"] = release.created;
  json["kiln_version"] = release.kiln_version;
  json["registry"] = release.registry;
  json["images"] = nlohmann::ordered_json::array();
  for (const ReleasedImage& image : release.images) {
    nlohmann::ordered_json entry;
    entry["name"] = image.name;
    entry["repository"] = image.repository;
    entry["tag"] = image.tag;
    entry["digest"] = image.manifest.digest.str();
    entry["size"] = image.manifest.size;
    entry["media_type"] = image.manifest.media_type;
    entry["compressed_bytes"] = image.compressed_bytes;
    json["images"].push_back(std::move(entry));
  }
  return json_text(json, JsonLayout::indented) + "\n";
}

ReleaseRecord parse_release(std::string_view text, std::string_view where, Category category) {
  const nlohmann::json json = parse_json(text, where, category);
  const auto refuse = JsonMembers::refusal(where, category);
  const JsonMembers members(json, refuse);
  if (const auto version = members.unsigned_integer("schema_version"); version != kReleaseSchemaVersion) {
    members.refuse(fmt::format("schema_version is {}, this kiln reads {}", version, kReleaseSchemaVersion));
  }
  ReleaseRecord release;
  release.name = members.string("name");
  if (!oci::is_valid_tag(release.name))
    members.refuse("name", fmt::format("'{}' cannot name a release", printable(release.name)));
  release.created = members.string("created");
  try {
    parse_rfc3339(release.created);
  } catch (const Error& error) {
    members.refuse("created", error.message());
  }
  release.kiln_version = members.string("kiln_version");
  release.registry = members.string("registry");
  std::set<std::string> repositories;
  members.each("images", [&](const JsonMembers& image) {
    release.images.push_back(read_image(image, category));
    if (!repositories.insert(release.images.back().repository).second) {
      image.refuse("repository", fmt::format("'{}' stands there twice", release.images.back().repository));
    }
  });
  if (release.images.empty()) members.refuse("it has no images");
  return release;
}

std::optional<StoredRelease> fetch_release(RemoteSession& session, const std::string& registry_and_namespace,
                                           const std::string& name) {
  const oci::Reference reference = release_reference(registry_and_namespace, name);
  RegistryClient client = session.client_for(reference);
  const std::string repository = session.repository_of(reference).repository;
  const auto fetched = client.find_manifest(repository, name);
  if (!fetched) return std::nullopt;
  auto release = read_release(client, reference, repository, *fetched, Foreign::refused);
  if (release) require_of_registry(release->record, registry_and_namespace);
  return release;
}

std::vector<StoredRelease> fetch_releases(RemoteSession& session, const std::string& registry_and_namespace) {
  const oci::Reference any = release_reference(registry_and_namespace, "any");
  RegistryClient client = session.client_for(any);
  const std::string repository = session.repository_of(any).repository;
  const std::vector<std::string> tags = client.find_tags(repository).value_or(TagList()).tags;
  std::vector<std::optional<StoredRelease>> read(tags.size());
  std::vector<std::string> missing(tags.size());
  ThreadPool pool(std::max<std::size_t>(1, session.settings().parallel_requests));
  pool.parallel_for(tags.size(), [&](std::size_t i) {
    RegistryClient own = client;
    const auto fetched = own.find_manifest(repository, tags[i]);
    if (fetched) {
      read[i] = read_release(own, any.with_tag(tags[i]), repository, *fetched, Foreign::passed_over);
    } else {
      missing[i] = tags[i];
    }
  });
  refuse_if_still_listed(client, any, repository, missing);
  std::vector<StoredRelease> releases;
  for (auto& release : read) {
    if (release) releases.push_back(std::move(*release));
  }
  std::sort(releases.begin(), releases.end(), [](const StoredRelease& a, const StoredRelease& b) {
    const auto when = [](const StoredRelease& release) { return parse_rfc3339(release.record.created); };
    return std::pair(when(a), a.record.name) < std::pair(when(b), b.record.name);
  });
  return releases;
}

oci::Descriptor release_artifact(const ReleaseRecord& release) {
  const std::string bytes = oci::serialise(manifest_of(release, to_json_text(release)));
  return {oci::media_type::kOciManifest, oci::sha256_of(bytes), bytes.size(), {}, {}, {}};
}

oci::Descriptor put_release(RemoteSession& session, const ReleaseRecord& release) {
  const oci::Reference reference = release_reference(release.registry, release.name);
  return with_context([&] { return fmt::format("while writing release '{}'", reference.str()); },
                      [&] {
                        RegistryClient client = session.client_for(reference);
                        const std::string repository = session.repository_of(reference).repository;
                        const std::string payload = to_json_text(release);
                        const oci::Manifest manifest = manifest_of(release, payload);
                        client.upload_bytes(repository, manifest.config, std::string(kEmptyConfig));
                        client.upload_bytes(repository, manifest.layers.front(), payload);
                        return client.put_manifest(repository, release.name, oci::serialise(manifest),
                                                   manifest.media_type);
                      });
}

}  // namespace kiln
