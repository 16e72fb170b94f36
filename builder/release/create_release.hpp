#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/release_record.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// An image of the fleet that a release is to hold, by the tag that is resolved.
struct ReleaseCandidate {
  std::string name;  // the fleet's target
  oci::Reference reference;
};

struct ReleaseRequest {
  std::string name;
  std::string registry;  // registry and namespace that the record goes to
  std::vector<ReleaseCandidate> candidates;
  std::string kiln_version;
  UnixSeconds now = 0;
};

// What creating a release comes to. Nothing at the registry has been touched.
struct ReleasePlan {
  struct Tag {
    std::optional<oci::Digest> now;  // what the image's tag NAME means before; nullopt: there is none
  };
  ReleaseRecord record;
  std::vector<Tag> tags;                  // of record.images, in their order
  std::optional<StoredRelease> existing;  // the release of this name that the registry has
  std::size_t manifests = 0;              // verified
  std::size_t blobs = 0;
  std::uint64_t bytes = 0;

  // Tags, and the release itself, that name something else: only with force are they moved.
  std::vector<std::string> conflicts() const;
};

// Resolves every candidate by HEAD, looks whether each is whole (verify_images) and what its tag NAME means now. Where
// the release exists with the same images its record is kept as it is, so that creating it once more changes nothing.
// Error{network} that lists all images that the registry lacks or that are not whole; Error{usage} for two candidates
// of one repository, and for none at all.
ReleasePlan plan_release(RemoteSession& session, const ReleaseRequest& request);

enum class Force { no, yes };

// Tags the images, then puts the record: a release that can be fetched has all its tags. Error{usage} for conflicts
// without force, before anything is changed. Ended in between, the same request carries on. Returns the artifact.
oci::Descriptor carry_out(RemoteSession& session, const ReleasePlan& plan, Force force);

// Verifies a release's images where it recorded them, and that their tag NAME still names the recorded digest. One list
// of problems for each image, in their order; all empty: the release is whole.
std::vector<std::vector<std::string>> verify_release(RemoteSession& session, const ReleaseRecord& release);

}  // namespace kiln
