#include "builder/retention/repository_contents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>

#include "base/percent.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/retention/retention_policy.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln {

namespace {

using oci::Digest;

constexpr std::size_t kMostShownName = 100;
constexpr UnixSeconds kOlderThanAll = 0;

// What a person wrote there may be anything; only a time after the reproducible epoch tells one.
std::optional<UnixSeconds> telling_time(const std::string& text) {
  const auto time = parse_rfc3339_if_valid(text);
  return time && *time > kReproducibleEpoch ? time : std::nullopt;
}

std::optional<UnixSeconds> later(std::optional<UnixSeconds> a, std::optional<UnixSeconds> b) {
  if (!a || !b) return a ? a : b;
  return std::max(*a, *b);
}

// Every sha256 digest that stands in a text.
std::vector<Digest> digests_in(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  constexpr std::size_t kDigestBytes = 71;
  std::vector<Digest> found;
  for (std::size_t at = text.find(kPrefix); at != std::string_view::npos; at = text.find(kPrefix, at + 1)) {
    const std::string_view digest = text.substr(at, kDigestBytes);
    if (Digest::is_valid(digest)) found.push_back(Digest::parse(digest));
  }
  return found;
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
    refer_by_tags();
    while (!todo_.empty()) {
      std::vector<Digest> wave(todo_.begin(), todo_.end());
      todo_.clear();
      pool_.parallel_for(wave.size(), [&](std::size_t i) { read(wave[i]); });
    }
    // Where all are, it is the caller who may not read.
    if (withheld_ && !has_read_) throw RegistryError(*withheld_);
    if (!packages_) date_by_documents();
    return std::move(contents_);
  }

 private:
  void list_versions() {
    const auto versions = packages_->versions(contents_.repository);
    if (!versions) return refuse_hidden_package();
    for (const PackageVersion& version : versions->versions) {
      StoredManifest& manifest = contents_.manifests[version.digest];
      manifest.version = version.id;
      manifest.date = version.created;
      for (const std::string& tag : version.tags) add_tag(version.digest, tag);
      todo_.insert(version.digest);
    }
    for (const UnreadableVersion& version : versions->unreadable) {
      contents_.remarks.push_back(version.problem);
      if (!version.digest) continue;
      contents_.manifests[*version.digest].problem = version.problem;
      todo_.insert(*version.digest);
    }
  }

  // GitHub answers 404 for a package that the token may not see.
  void refuse_hidden_package() {
    contents_.is_known = false;
    try {
      if (client_.find_tags(contents_.repository).value_or(TagList()).tags.empty()) return;
    } catch (const RegistryError& error) {
      if (error.status() != 403 && error.status() != 401) throw;
      return;
    }
    throw Error(
        Category::network,
        fmt::format("GitHub's packages API answers 404 for '{}', which the registry has: the token lacks the "
                    "scopes read:packages and delete:packages, or in Actions the role Admin under the package's "
                    "settings, 'Manage Actions access'",
                    contents_.repository));
  }

  void list_tags() {
    const std::optional<TagList> list = client_.find_tags(contents_.repository);
    contents_.is_known = list.has_value();
    if (!list) return;
    pool_.parallel_for(list->tags.size(), [&](std::size_t i) {
      auto found = client_.resolve(contents_.repository, list->tags[i]);
      // Gone since the list was made, if GET says the same: what a tag keeps hangs on it.
      if (!found) {
        if (const auto read = client_.find_any_manifest(contents_.repository, list->tags[i])) found = read->descriptor;
      }
      if (!found) return;
      const std::lock_guard lock(mutex_);
      add_tag(found->digest, list->tags[i]);
      todo_.insert(found->digest);
    });
    for (const std::string& odd : list->invalid) keep_odd_tag(odd);
  }

  // A name that is no tag by the specification may be one at this registry, and goes with its manifest.
  void keep_odd_tag(const std::string& odd) {
    const std::string shown = printable(odd.substr(0, kMostShownName));
    std::optional<oci::Descriptor> found;
    try {
      found = client_.resolve(contents_.repository, percent_encoded(odd));
    } catch (const RegistryError&) {
      found.reset();  // it is no tag for the registry either
    }
    contents_.remarks.push_back(fmt::format("'{}' is no tag", shown));
    if (!found) return;
    StoredManifest& manifest = contents_.manifests[found->digest];
    manifest.problem = fmt::format("it has the tag '{}', which no client can name", shown);
    todo_.insert(found->digest);
  }

  void add_tag(const Digest& digest, const std::string& tag) {
    StoredManifest& manifest = contents_.manifests[digest];
    manifest.tags.insert(std::upper_bound(manifest.tags.begin(), manifest.tags.end(), tag), tag);
    manifest.date = later(manifest.date, date_in_tag(tag));
  }

  // One with a tag of its own is what that tag says: another tag makes it nothing that goes with an image.
  void refer_by_tags() {
    for (auto& [digest, manifest] : contents_.manifests) {
      std::optional<Digest> subject;
      for (const std::string& tag : manifest.tags) {
        subject = digest_in_tag(tag);
        if (!subject) break;
      }
      if (subject) manifest.subject = subject;
    }
  }

  // A registry may withhold single manifests: for a scanner's findings (Artifactory answers 403, Harbor 403 or 412), by
  // law (451). An image's is kept without what stands in it, since that is its own. What an index holds hangs on it:
  // then nothing can be planned.
  std::optional<oci::Descriptor> withheld_image(const Digest& digest, const RegistryError& error) {
    if (error.status() != 403 && error.status() != 412 && error.status() != 451) return std::nullopt;
    auto told = client_.resolve(contents_.repository, digest.str());
    return told && oci::media_type::is_manifest(told->media_type) ? told : std::nullopt;
  }

  // nullopt where there is none, and for an image that is withheld, which is noted.
  std::optional<FetchedManifest> fetch(const Digest& digest) {
    try {
      return client_.find_any_manifest(contents_.repository, digest.str());
    } catch (const RegistryError& error) {
      const auto image = withheld_image(digest, error);
      if (!image) throw;
      const std::lock_guard lock(mutex_);
      StoredManifest& manifest = contents_.manifests[digest];
      manifest.descriptor = *image;
      manifest.descriptor.digest = digest;
      manifest.problem = error.message();
      contents_.remarks.push_back(error.message());
      withheld_.emplace(error);
      return std::nullopt;
    }
  }

  void read(const Digest& digest) {
    const auto found = fetch(digest);
    if (!found) {
      // An index may name what was never pushed, and what was listed may be gone by now.
      const std::lock_guard lock(mutex_);
      if (contents_.manifests[digest].problem.empty()) contents_.manifests.erase(digest);
      return;
    }
    has_read_ = true;
    const FetchedManifest& fetched = *found;
    StoredManifest read;
    oci::Annotations annotations;
    std::optional<oci::Descriptor> config;
    try {
      parse(fetched, digest, read, annotations, config);
    } catch (const Error& error) {
      read = StoredManifest{};
      read.problem = error.message();
      read.children = digests_in(fetched.bytes);
      std::erase(read.children, digest);
      config.reset();
    }
    std::optional<UnixSeconds> date = telling_time(annotations[oci::kCreatedAnnotation]);
    std::vector<oci::Descriptor> referrers;
    if (!packages_) {
      referrers = referrers_of(digest);
      if (!date && config && !has_date(digest)) date = created_in(*config, read);
    }

    const std::lock_guard lock(mutex_);
    StoredManifest& manifest = contents_.manifests[digest];
    manifest.descriptor = fetched.descriptor;
    manifest.descriptor.digest = digest;
    manifest.children = std::move(read.children);
    manifest.blobs = std::move(read.blobs);
    manifest.artifact_type = std::move(read.artifact_type);
    manifest.is_broken = read.is_broken;
    if (read.subject) manifest.subject = read.subject;
    if (!read.problem.empty()) {
      manifest.problem = read.problem;
      contents_.remarks.push_back(read.problem);
    }
    if (!manifest.date) manifest.date = date;
    for (const Digest& child : manifest.children) want(child);
    for (const oci::Descriptor& referrer : referrers) want(referrer.digest);
  }

  void parse(const FetchedManifest& fetched, const Digest& digest, StoredManifest& read, oci::Annotations& annotations,
             std::optional<oci::Descriptor>& config) const {
    const std::string where = fmt::format("manifest '{}@{}'", contents_.name, digest.str());
    if (oci::media_type::is_index(fetched.descriptor.media_type)) {
      oci::Index index = oci::parse_index(fetched.bytes, where);
      for (const oci::Descriptor& child : index.manifests) read.children.push_back(child.digest);
      if (index.subject) read.subject = index.subject->digest;
      read.artifact_type = index.artifact_type;
      annotations = std::move(index.annotations);
      return;
    }
    if (!oci::media_type::is_manifest(fetched.descriptor.media_type)) {
      throw Error(Category::network,
                  fmt::format("{}: kiln cannot read the kind '{}'", where, printable(fetched.descriptor.media_type)));
    }
    oci::Manifest manifest = oci::parse_manifest(fetched.bytes, where);
    read.blobs = manifest.layers;
    read.blobs.push_back(manifest.config);
    if (manifest.subject) read.subject = manifest.subject->digest;
    read.artifact_type = manifest.artifact_type;
    if (manifest.config.media_type == oci::media_type::kOciConfig ||
        manifest.config.media_type == oci::media_type::kDockerConfig)
      config = manifest.config;
    annotations = std::move(manifest.annotations);
  }

  // What refers to a manifest and cannot be listed is not planned with, and so not deleted.
  std::vector<oci::Descriptor> referrers_of(const Digest& digest) {
    try {
      return client_.referrers(contents_.repository, digest);
    } catch (const RegistryError&) {
      throw;
    } catch (const TransportError&) {
      throw;
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
      const std::lock_guard lock(mutex_);
      contents_.remarks.push_back(error.message());
      return {};
    }
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

  std::optional<UnixSeconds> created_in(const oci::Descriptor& config, StoredManifest& manifest) {
    const std::string where = fmt::format("config '{}@{}'", contents_.name, config.digest.str());
    try {
      const auto bytes = client_.find_blob_bytes(contents_.repository, config);
      manifest.is_broken = !bytes;
      if (!bytes) return kOlderThanAll;
      return telling_time(oci::parse_image_config(*bytes, where).created);
    } catch (const RegistryError&) {
      throw;
    } catch (const TransportError&) {
      throw;
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
      const std::lock_guard lock(mutex_);
      contents_.remarks.push_back(error.message());
      return std::nullopt;
    }
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
  std::atomic<bool> has_read_{false};      // a manifest
  std::optional<RegistryError> withheld_;  // the last answer of one that is withheld
};

}  // namespace

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
