#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"
#include "builder/retention/repository_contents.hpp"

namespace kiln {

// Whether a tagged manifest is an entry of a shared cache (builder/cache/registry_backend.hpp): an artifact of kiln's
// own.
bool is_cache_entry(const StoredManifest& manifest);

// Says of entries of a shared cache whether somebody still needs them.
class CacheUse {
 public:
  virtual ~CacheUse() = default;
  // Whether the build record of a kept image names the entry.
  virtual bool is_used(const StoredManifest& entry) const = 0;
};

inline constexpr UnixSeconds kCacheEntryAge = UnixSeconds{14} * 24 * 3600;
inline constexpr UnixSeconds kUntaggedAge = UnixSeconds{24} * 3600;

struct RetentionRules {
  Retention retention;
  // Tags that are kept whatever their age, by the repository's full name: the fleet's "latest" and the like.
  std::map<std::string, std::set<std::string>> fixed_tags;
  std::map<oci::Digest, std::string> released;  // digest -> the release that holds it
  const CacheUse* cache_use = nullptr;          // must be set where there are cache entries
  UnixSeconds now = 0;
};

enum class PlannedKind { image, cache_entry };

struct KeptManifest {
  oci::Digest digest;
  std::vector<std::string> tags;
  std::string reason;
  PlannedKind kind = PlannedKind::image;
};

struct Deletion {
  oci::Digest digest;
  std::vector<std::string> tags;
  std::optional<UnixSeconds> date;
  std::optional<std::uint64_t> version;
  // Of blobs that nothing kept has; a blob of several deletions counts with the first. What repositories that were not
  // looked at share is not known.
  std::uint64_t freed_bytes = 0;
  PlannedKind kind = PlannedKind::image;
  bool is_broken = false;  // its config is gone
};

struct RepositoryPlan {
  std::string name;
  std::string repository;
  std::vector<KeptManifest> kept;
  std::vector<Deletion>
      deletions;  // in the order of deleting: what refers before what is referred to, indexes before children
  std::map<std::string, oci::Digest> tags;  // all of them, as planned with
  bool is_known = true;                     // to the registry
  std::vector<std::string> remarks;         // what could not be read and is left as it is
};

struct RetentionPlan {
  std::vector<RepositoryPlan> repositories;
  std::uint64_t freed_bytes = 0;
  std::size_t deletions = 0;
};

// What to keep and what to delete. Kept are
//   - of each repository's images, tagged manifests that refer to nothing and are no part of a tagged index, those that
//     the retention keeps by their age;
//   - what kiln cannot read, and all that it names;
//   - fixed tags, and every digest that a release names;
//   - cache entries that are used, younger than kCacheEntryAge, or of unknown age;
//   - at GitHub, what has no tag and is younger than kUntaggedAge: somebody may be pushing it;
//   - whatever any of these reaches: an index's children, what refers to a kept manifest, what a kept one refers to;
//   - what refers to something that is not there.
// Images and cache entries may share a repository. A digest is kept or deleted as one, with all its tags. Everything
// else is deleted. Pure.
RetentionPlan plan_retention(const std::vector<RepositoryContents>& repositories, const RetentionRules& rules);

}  // namespace kiln
