#include "builder/release/create_release.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/remote/push.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/verify_image.hpp"

namespace kiln {

namespace {

std::size_t parallel(const RemoteSession& session) {
  return std::max<std::size_t>(1, session.settings().parallel_requests);
}

[[noreturn]] void refuse(std::string message, const std::vector<std::string>& lines) {
  Error error(Category::network, std::move(message));
  std::string detail;
  for (const std::string& line : lines) detail += "  " + line + "\n";
  error.set_detail(std::move(detail));
  throw error;
}

std::optional<oci::Descriptor> resolve(RemoteSession& session, const oci::Reference& reference) {
  return session.client_for(reference).resolve(session.repository_of(reference).repository, reference.manifest_key());
}

std::vector<ReleasedImage> resolve_candidates(RemoteSession& session, const ReleaseRequest& request, ThreadPool& pool) {
  std::vector<ReleaseCandidate> candidates = request.candidates;
  if (candidates.empty()) throw Error(Category::usage, "no image is to be released");
  std::sort(candidates.begin(), candidates.end(),
            [](const auto& a, const auto& b) { return a.reference.name() < b.reference.name(); });
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    if (candidates[i].reference.name() != candidates[i - 1].reference.name()) continue;
    throw Error(Category::usage,
                fmt::format("'{}' and '{}' are both published to '{}'; a release holds each repository once",
                            candidates[i - 1].name, candidates[i].name, candidates[i].reference.name()));
  }
  std::vector<ReleasedImage> images(candidates.size());
  std::vector<std::string> missing(candidates.size());
  pool.parallel_for(candidates.size(), [&](std::size_t i) {
    const oci::Reference& reference = candidates[i].reference;
    const auto found = resolve(session, reference);
    if (!found) {
      missing[i] = reference.str();
      return;
    }
    images[i] = {candidates[i].name, reference.name(), reference.tag_or_latest(), *found, 0};
  });
  missing.erase(std::remove(missing.begin(), missing.end(), ""), missing.end());
  if (!missing.empty()) {
    refuse(fmt::format(
               "{} of {} images are not at the registry; push them, or name the images that the release is to hold",
               missing.size(), candidates.size()),
           missing);
  }
  return images;
}

std::vector<ImageAtRegistry> places_of(const RemoteSession& session, const std::vector<ReleasedImage>& images) {
  std::vector<ImageAtRegistry> places;
  for (const ReleasedImage& image : images) {
    places.push_back({session.repository_of(image.by_digest()),
                      {image.manifest.media_type, image.manifest.digest, image.manifest.size, {}, {}, {}}});
  }
  return places;
}

void verify(RemoteSession& session, ReleasePlan& plan) {
  const auto verdicts = verify_images(session, places_of(session, plan.record.images));
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    ReleasedImage& image = plan.record.images[i];
    for (const std::string& problem : verdicts[i].problems)
      problems.push_back(image.by_digest().str() + ": " + problem);
    image.manifest = {verdicts[i].root.media_type, verdicts[i].root.digest, verdicts[i].root.size, {}, {}, {}};
    image.compressed_bytes = verdicts[i].bytes;
    plan.manifests += verdicts[i].manifests;
    plan.blobs += verdicts[i].blobs;
    plan.bytes += verdicts[i].bytes;
  }
  if (!problems.empty()) refuse("the registry has images that are not whole; push them again", problems);
}

bool same_images(const ReleaseRecord& a, const ReleaseRecord& b) {
  return std::equal(a.images.begin(), a.images.end(), b.images.begin(), b.images.end(),
                    [](const ReleasedImage& x, const ReleasedImage& y) {
                      return x.repository == y.repository && x.manifest.digest == y.manifest.digest;
                    });
}

// Whether a stored release is what kiln would write now, but for when and by which kiln it was made: anybody may have
// put it there, and what is signed is said by who signs.
bool is_ours(const StoredRelease& stored, ReleaseRecord record) {
  const bool is_of_past = parse_rfc3339(stored.record.created) <= parse_rfc3339(record.created);
  record.created = stored.record.created;
  record.kiln_version = stored.record.kiln_version;
  return is_of_past && stored.record == record && stored.artifact.digest == release_artifact(record).digest;
}

oci::Reference tagged(const ReleasedImage& image, const std::string& tag) {
  return oci::Reference::parse(image.repository).with_tag(tag);
}

}  // namespace

std::vector<std::string> ReleasePlan::conflicts() const {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const ReleasedImage& image = record.images[i];
    if (!tags[i].now || *tags[i].now == image.manifest.digest) continue;
    found.push_back(fmt::format("{}:{} names {}, not {}", image.repository, record.name, tags[i].now->str(),
                                image.manifest.digest.str()));
  }
  if (existing && !same_images(existing->record, record)) {
    found.push_back(fmt::format("the release '{}' of {} holds other images", record.name, existing->record.created));
  }
  return found;
}

ReleasePlan plan_release(RemoteSession& session, const ReleaseRequest& request) {
  release_reference(request.registry, request.name);
  ReleasePlan plan;
  plan.record.name = request.name;
  plan.record.created = format_rfc3339(request.now);
  plan.record.kiln_version = request.kiln_version;
  plan.record.registry = request.registry;
  ThreadPool pool(parallel(session));
  plan.record.images = resolve_candidates(session, request, pool);
  verify(session, plan);
  plan.tags.resize(plan.record.images.size());
  pool.parallel_for(plan.tags.size(), [&](std::size_t i) {
    if (const auto now = resolve(session, tagged(plan.record.images[i], request.name))) plan.tags[i].now = now->digest;
  });
  plan.existing = fetch_release(session, request.registry, request.name);
  if (plan.existing && is_ours(*plan.existing, plan.record)) plan.record = plan.existing->record;
  return plan;
}

oci::Descriptor carry_out(RemoteSession& session, const ReleasePlan& plan, Force force) {
  const std::vector<std::string> conflicts = plan.conflicts();
  if (!conflicts.empty() && force == Force::no) {
    Error error(Category::usage, fmt::format("release '{}' would move what exists; choose another name, or say --force",
                                             plan.record.name));
    error.set_detail("  " + join(conflicts, "\n  ") + "\n");
    throw error;
  }
  ThreadPool pool(parallel(session));
  pool.parallel_for(plan.tags.size(), [&](std::size_t i) {
    const ReleasedImage& image = plan.record.images[i];
    if (plan.tags[i].now != image.manifest.digest) tag_image(session, image.by_digest(), plan.record.name);
  });
  if (plan.existing && plan.existing->record == plan.record) return plan.existing->artifact;
  return put_release(session, plan.record);
}

std::vector<std::vector<std::string>> verify_release(RemoteSession& session, const ReleaseRecord& release) {
  const auto verdicts = verify_images(session, places_of(session, release.images));
  std::vector<std::vector<std::string>> problems(release.images.size());
  ThreadPool pool(parallel(session));
  pool.parallel_for(release.images.size(), [&](std::size_t i) {
    const ReleasedImage& image = release.images[i];
    problems[i] = verdicts[i].problems;
    const auto named = resolve(session, tagged(image, release.name));
    if (!named) {
      problems[i].push_back(
          fmt::format("tag '{}' is gone; expected it to name '{}'", release.name, image.manifest.digest.str()));
    } else if (named->digest != image.manifest.digest) {
      problems[i].push_back(fmt::format("tag '{}': expected '{}', it names '{}'", release.name,
                                        image.manifest.digest.str(), named->digest.str()));
    }
  });
  return problems;
}

}  // namespace kiln
