#include "builder/retention/repository_contents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "base/thread_pool.hpp"
#include "builder/retention/retention_policy.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln {

namespace {

using oci::Digest;

constexpr char kCreatedAnnotation[] = "org.opencontainers.image.created";

// What a person wrote there may be anything; only a time after the reproducible epoch tells one.
std::optional<UnixSeconds> telling_time(const std::string& text) {
  if (text.empty()) return std::nullopt;
  try {
    const UnixSeconds time = parse_rfc3339(text);
    return time > kReproducibleEpoch ? std::optional(time) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<UnixSeconds> later(std::optional<UnixSeconds> a, std::optional<UnixSeconds> b) {
  if (!a || !b) return a ? a : b;
  return std::max(*a, *b);
}

class Reader {
 public:
  Reader(RemoteSession& session, const RemoteRepository& place, const GithubPackages* packages)
      : session_(session),
        client_(session.client(place.endpoint)),
        packages_(packages),
        pool_(session.settings().parallel_requests) {
    contents_.name = place.name();
    contents_.repository = place.repository;
  }

  RepositoryContents run() {
    if (packages_) {
      list_versions();
    } else {
      list_tags();
    }
    while (!todo_.empty()) {
      std::vector<Digest> wave(todo_.begin(), todo_.end());
      todo_.clear();
      pool_.parallel_for(wave.size(), [&](std::size_t i) { read(wave[i]); });
    }
    if (!packages_) date_by_documents();
    return std::move(contents_);
  }

 private:
  void list_versions() {
    const auto versions = packages_->versions(contents_.repository);
    if (!versions) return;
    for (const PackageVersion& version : *versions) {
      StoredManifest& manifest = contents_.manifests[version.digest];
      manifest.version = version.id;
      manifest.date = version.created;
      for (const std::string& tag : version.tags) add_tag(version.digest, tag);
      todo_.insert(version.digest);
    }
  }

  void list_tags() {
    std::vector<std::string> tags;
    try {
      tags = client_.list_tags(contents_.repository);
    } catch (const RegistryError& error) {
      if (error.status() == 404) return;  // no such repository
      throw;
    }
    pool_.parallel_for(tags.size(), [&](std::size_t i) {
      const auto found = client_.resolve(contents_.repository, tags[i]);
      if (!found) return;  // gone since the list was made
      const std::lock_guard lock(mutex_);
      add_tag(found->digest, tags[i]);
      todo_.insert(found->digest);
    });
  }

  void add_tag(const Digest& digest, const std::string& tag) {
    StoredManifest& manifest = contents_.manifests[digest];
    manifest.tags.insert(std::upper_bound(manifest.tags.begin(), manifest.tags.end(), tag), tag);
    manifest.date = later(manifest.date, date_in_tag(tag));
    if (const auto subject = digest_in_tag(tag)) manifest.subject = subject;
  }

  void read(const Digest& digest) {
    FetchedManifest fetched;
    try {
      fetched = client_.fetch_manifest(contents_.repository, digest.str());
    } catch (const RegistryError& error) {
      if (error.status() != 404) throw;
      // An index may name what was never pushed, and what was listed may be gone by now.
      const std::lock_guard lock(mutex_);
      contents_.manifests.erase(digest);
      return;
    }
    const std::string where = fmt::format("manifest '{}@{}'", contents_.name, digest.str());
    oci::Annotations annotations;
    std::optional<oci::Descriptor> config;
    StoredManifest read;
    std::optional<oci::Descriptor> subject;
    if (oci::media_type::is_index(fetched.descriptor.media_type)) {
      oci::Index index = oci::parse_index(fetched.bytes, where);
      for (const oci::Descriptor& child : index.manifests) read.children.push_back(child.digest);
      subject = index.subject;
      read.artifact_type = index.artifact_type;
      annotations = std::move(index.annotations);
    } else {
      oci::Manifest manifest = oci::parse_manifest(fetched.bytes, where);
      read.blobs = manifest.layers;
      read.blobs.push_back(manifest.config);
      subject = manifest.subject;
      read.artifact_type = manifest.artifact_type;
      if (manifest.config.media_type == oci::media_type::kOciConfig ||
          manifest.config.media_type == oci::media_type::kDockerConfig)
        config = manifest.config;
      annotations = std::move(manifest.annotations);
    }
    std::optional<UnixSeconds> date = telling_time(annotations[kCreatedAnnotation]);
    std::vector<oci::Descriptor> referrers;
    if (!packages_) {
      referrers = client_.referrers(contents_.repository, digest);
      if (!date && config && !has_date(digest)) date = created_in(*config);
    }

    const std::lock_guard lock(mutex_);
    StoredManifest& manifest = contents_.manifests[digest];
    manifest.descriptor = fetched.descriptor;
    manifest.children = std::move(read.children);
    manifest.blobs = std::move(read.blobs);
    manifest.artifact_type = std::move(read.artifact_type);
    if (subject) manifest.subject = subject->digest;
    if (!manifest.date) manifest.date = date;
    for (const Digest& child : manifest.children) want(child);
    for (const oci::Descriptor& referrer : referrers) want(referrer.digest);
  }

  // Under the lock.
  void want(const Digest& digest) {
    const auto [place, is_new] = contents_.manifests.try_emplace(digest);
    if (is_new) todo_.insert(digest);
  }

  bool has_date(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    return contents_.manifests[digest].date.has_value();
  }

  std::optional<UnixSeconds> created_in(const oci::Descriptor& config) {
    const std::string bytes = client_.fetch_blob_bytes(contents_.repository, config);
    return telling_time(
        oci::parse_image_config(bytes, fmt::format("config '{}@{}'", contents_.name, config.digest.str())).created);
  }

  // An index is as old as the newest of what it holds.
  void date_by_documents() {
    for (auto& [digest, manifest] : contents_.manifests) {
      if (manifest.date) continue;
      for (const Digest& child : manifest.children) {
        if (const auto found = contents_.manifests.find(child); found != contents_.manifests.end())
          manifest.date = later(manifest.date, found->second.date);
      }
    }
  }

  RemoteSession& session_;
  RegistryClient client_;
  const GithubPackages* packages_;
  ThreadPool pool_;
  std::mutex mutex_;
  RepositoryContents contents_;
  std::set<Digest> todo_;
};

}  // namespace

std::uint64_t StoredManifest::bytes() const {
  std::uint64_t sum = descriptor.size;
  for (const oci::Descriptor& blob : blobs) sum += blob.size;
  return sum;
}

std::optional<Digest> digest_in_tag(std::string_view tag) {
  constexpr std::string_view kPrefix = "sha256-";
  constexpr std::size_t kHexDigits = 64;
  if (!tag.starts_with(kPrefix)) return std::nullopt;
  const std::string_view hex = tag.substr(kPrefix.size(), kHexDigits);
  const std::string_view rest = tag.substr(kPrefix.size() + hex.size());
  const std::string text = fmt::format("sha256:{}", hex);
  if (!Digest::is_valid(text) || (!rest.empty() && !rest.starts_with('.'))) return std::nullopt;
  return Digest::parse(text);
}

RepositoryContents read_repository(RemoteSession& session, const RemoteRepository& place,
                                   const GithubPackages* packages) {
  return with_context([&] { return fmt::format("while reading '{}'", place.name()); },
                      [&] { return Reader(session, place, packages).run(); });
}

}  // namespace kiln
