#include "builder/retention/retention_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "builder/retention/retention_policy.hpp"
#include "registry/remote/release_record.hpp"

namespace kiln {

namespace {

using oci::Digest;
using Reasons = std::map<Digest, std::string>;

// A day begins elsewhere before it does here.
constexpr UnixSeconds kClockDifference = UnixSeconds{24} * 3600;

bool has_fixed_tag(const StoredManifest& manifest, const std::set<std::string>& fixed) {
  return std::any_of(manifest.tags.begin(), manifest.tags.end(),
                     [&](const std::string& tag) { return fixed.contains(tag); });
}

bool is_image(const StoredManifest& manifest) {
  return !manifest.tags.empty() && !manifest.subject && manifest.problem.empty();
}

// Whether a tag of a part says no more than one of its index: "20261120-1-arm64" of "20261120-1".
bool is_derived(const std::string& tag, const StoredManifest& index) {
  return std::any_of(index.tags.begin(), index.tags.end(), [&](const std::string& above) {
    return tag == above ||
           (tag.starts_with(above) && std::string_view("-_.").find(tag[above.size()]) != std::string_view::npos);
  });
}

// What the tagged indexes of a repository hold, indexes in them followed: parts of an image. One with a tag of its own
// is an image besides, or an index that somebody adds would take it along.
std::set<Digest> parts_of_indexes(const RepositoryContents& contents) {
  std::vector<const StoredManifest*> todo;
  for (const auto& [digest, manifest] : contents.manifests) {
    if (is_image(manifest) && !manifest.children.empty()) todo.push_back(&manifest);
  }
  std::set<Digest> parts;
  while (!todo.empty()) {
    const StoredManifest* index = todo.back();
    todo.pop_back();
    for (const Digest& child : index->children) {
      const auto found = contents.manifests.find(child);
      if (found == contents.manifests.end()) continue;
      const std::vector<std::string>& tags = found->second.tags;
      if (!std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) { return is_derived(tag, *index); }))
        continue;
      if (parts.insert(child).second) todo.push_back(&found->second);
    }
  }
  return parts;
}

void keep_images(const RepositoryContents& contents, const RetentionRules& rules, Reasons& kept) {
  const std::set<Digest> parts = parts_of_indexes(contents);
  std::vector<const StoredManifest*> images;
  for (const auto& [digest, manifest] : contents.manifests) {
    if (is_image(manifest) && !is_cache_entry(manifest) && !parts.contains(digest)) images.push_back(&manifest);
  }
  // Of one day's tags the greater name counts as the newer: there has to be an order, and the same one every time.
  std::sort(images.begin(), images.end(), [](const auto* a, const auto* b) { return a->tags.back() > b->tags.back(); });
  std::vector<std::optional<UnixSeconds>> dates;
  for (const StoredManifest* image : images) {
    // A tag of a day that is not yet would stand before all others for years.
    const bool is_of_future = image->date && *image->date > rules.now + kClockDifference;
    dates.push_back(is_of_future ? std::nullopt : image->date);
  }
  const std::vector<std::string> reasons = kept_by_age(rules.retention, dates);
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (!reasons[i].empty()) kept.emplace(images[i]->descriptor.digest, reasons[i]);
  }
}

void keep_cache_entries(const RepositoryContents& contents, const RetentionRules& rules, Reasons& kept) {
  for (const auto& [digest, entry] : contents.manifests) {
    if (!is_cache_entry(entry)) continue;
    if (!rules.cache_use)
      throw Error(Category::machine, fmt::format("'{}' holds cache entries whose use is not known", contents.name));
    if (!entry.date) {
      kept.emplace(digest, "no date");
    } else if (rules.now - *entry.date < kCacheEntryAge) {
      kept.emplace(digest, "younger than 14 days");
    } else if (rules.cache_use->is_used(entry)) {
      kept.emplace(digest, "used by a kept image");
    }
  }
}

// Until nothing more is reached.
void keep_what_is_reached(const RepositoryContents& contents, Reasons& kept) {
  std::map<Digest, std::vector<Digest>> referrers;
  for (const auto& [digest, manifest] : contents.manifests) {
    if (manifest.subject) referrers[*manifest.subject].push_back(digest);
  }
  std::vector<Digest> todo;
  for (const auto& [digest, reason] : kept) todo.push_back(digest);
  const auto reach = [&](const Digest& digest, const std::string& reason) {
    if (contents.manifests.contains(digest) && kept.emplace(digest, reason).second) todo.push_back(digest);
  };
  while (!todo.empty()) {
    const Digest digest = todo.back();
    todo.pop_back();
    const auto found = contents.manifests.find(digest);
    if (found == contents.manifests.end()) continue;
    const StoredManifest& manifest = found->second;
    const std::string name = manifest.tags.empty() ? digest.str().substr(0, 19) : manifest.tags.front();
    for (const Digest& child : manifest.children) reach(child, fmt::format("part of '{}'", name));
    for (const Digest& referrer : referrers[digest]) reach(referrer, fmt::format("refers to '{}'", name));
    if (manifest.subject) reach(*manifest.subject, fmt::format("subject of '{}'", name));
  }
}

Reasons kept_of(const RepositoryContents& contents, const RetentionRules& rules) {
  Reasons kept;
  static const std::set<std::string> kNone;
  const auto found = rules.fixed_tags.find(contents.name);
  const std::set<std::string>& fixed = found == rules.fixed_tags.end() ? kNone : found->second;
  for (const auto& [digest, manifest] : contents.manifests) {
    if (const auto release = rules.released.find(digest); release != rules.released.end()) {
      kept.emplace(digest, fmt::format("in release '{}'", release->second));
    } else if (!manifest.problem.empty()) {
      kept.emplace(digest, manifest.problem);
    } else if (has_fixed_tag(manifest, fixed)) {
      kept.emplace(digest, "tag without a date");
    } else if (manifest.subject && !contents.manifests.contains(*manifest.subject)) {
      kept.emplace(digest, "refers to what is not here");
    } else if (manifest.tags.empty() && manifest.version &&
               (!manifest.date || rules.now - *manifest.date < kUntaggedAge)) {
      kept.emplace(digest, "without a tag, younger than a day");
    }
  }
  keep_cache_entries(contents, rules, kept);
  keep_images(contents, rules, kept);
  keep_what_is_reached(contents, kept);
  return kept;
}

// What refers to others first, then what holds others, so that nothing is ever left whose parts are gone: a crash
// between two deletions leaves whole images.
std::vector<const StoredManifest*> in_order_of_deletion(const RepositoryContents& contents, const Reasons& kept) {
  std::vector<const StoredManifest*> order;
  std::set<Digest> seen;
  std::map<Digest, std::vector<const StoredManifest*>> before;  // of a manifest: those that speak of it
  for (const auto& [digest, manifest] : contents.manifests) {
    for (const Digest& child : manifest.children) before[child].push_back(&manifest);
    if (manifest.subject) before[*manifest.subject].push_back(&manifest);
  }
  const std::function<void(const StoredManifest&)> add = [&](const StoredManifest& manifest) {
    const Digest& digest = manifest.descriptor.digest;
    if (kept.contains(digest) || !seen.insert(digest).second) return;
    for (const StoredManifest* earlier : before[digest]) add(*earlier);
    order.push_back(&manifest);
  };
  for (const auto& [digest, manifest] : contents.manifests) add(manifest);
  return order;
}

PlannedKind kind_of(const StoredManifest& manifest) {
  return is_cache_entry(manifest) ? PlannedKind::cache_entry : PlannedKind::image;
}

}  // namespace

bool is_cache_entry(const StoredManifest& manifest) {
  return !manifest.tags.empty() && manifest.artifact_type.starts_with("application/vnd.kiln.") &&
         manifest.artifact_type != kReleaseType;
}

RetentionPlan plan_retention(const std::vector<RepositoryContents>& repositories, const RetentionRules& rules) {
  RetentionPlan plan;
  std::set<Digest> counted;  // blobs of something kept, and those whose bytes are counted
  std::vector<Reasons> kept;
  for (const RepositoryContents& contents : repositories) {
    kept.push_back(kept_of(contents, rules));
    for (const auto& [digest, reason] : kept.back()) {
      const auto found = contents.manifests.find(digest);
      if (found == contents.manifests.end()) continue;
      counted.insert(digest);
      for (const oci::Descriptor& blob : found->second.blobs) counted.insert(blob.digest);
    }
  }
  for (std::size_t i = 0; i < repositories.size(); ++i) {
    const RepositoryContents& contents = repositories[i];
    RepositoryPlan& own = plan.repositories.emplace_back();
    own.name = contents.name;
    own.repository = contents.repository;
    own.is_known = contents.is_known;
    own.remarks = contents.remarks;
    for (const auto& [digest, manifest] : contents.manifests) {
      for (const std::string& tag : manifest.tags) own.tags.emplace(tag, digest);
      if (const auto reason = kept[i].find(digest); reason != kept[i].end())
        own.kept.push_back({digest, manifest.tags, reason->second, kind_of(manifest)});
    }
    for (const StoredManifest* manifest : in_order_of_deletion(contents, kept[i])) {
      Deletion deletion{manifest->descriptor.digest, manifest->tags,     manifest->date, manifest->version, 0,
                        kind_of(*manifest),          manifest->is_broken};
      if (counted.insert(deletion.digest).second) deletion.freed_bytes += manifest->descriptor.size;
      for (const oci::Descriptor& blob : manifest->blobs) {
        if (counted.insert(blob.digest).second) deletion.freed_bytes += blob.size;
      }
      plan.freed_bytes += deletion.freed_bytes;
      own.deletions.push_back(std::move(deletion));
    }
    plan.deletions += own.deletions.size();
  }
  return plan;
}

}  // namespace kiln
