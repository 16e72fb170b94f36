#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "registry/oci/reference.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/transfer_observer.hpp"

namespace kiln {

class EarlyPush;

// An image (or index) and the names it gets. Manifests, indexes and configs must be in the store; layers may
// be there or at a place that the session knows (BlobLocations).
struct PushRequest {
  oci::Descriptor root;
  std::vector<oci::Reference> targets;  // with a tag; one with a digest only puts the manifest without naming it
};

struct PushedTarget {
  oci::Reference target;                                   // with the digest it now has
  TransferOutcome outcome = TransferOutcome::transferred;  // skipped: the tag named this digest already
};

struct PushOutcome {
  std::vector<PushedTarget> targets;  // those that were done
  std::optional<Error> error;         // why others were not
};

struct PushOptions {
  // A tag that names the digest already is believed without looking at the blobs. `yes` looks at each.
  enum class Recheck { no, yes } recheck = Recheck::no;
  // Brings a blob into the store that neither the store nor a registry is known to have; false where it cannot be had.
  // Called from several threads, only for what the target really lacks.
  std::function<bool(const oci::Descriptor&)> fetch;
  // Repositories that a blob may well be in, by what is known beside the registries (the images that this one is built
  // on): it is mounted from there before it is sent.
  std::map<oci::Digest, std::vector<RemoteRepository>> likely_places;
  // The line that made a blob, "Dockerfile:7", for messages about it; "" where no line did. Called from several
  // threads.
  std::function<std::string(const oci::Digest&)> origin;
  // What was sent while the images were being built: the push takes over from it, waits for what is under way and asks
  // nothing about what is there. Borrowed; may be null.
  EarlyPush* early = nullptr;
};

// Pushes many images at once over the session's connections, one outcome for each in their order.
//
// One HEAD for each tag answers "already there". Else each blob is dealt with once for each repository:
// skipped where it is there, mounted where another repository of the registry has it (by what this session and earlier
// ones of the store saw, else PushOptions::likely_places), uploaded from the store, or streamed from a registry that
// has it; images that share a layer upload it once and mount it for the others. Then come the manifests, children
// before indexes, and the tags last: no tag ever names an image whose blobs are not all there. What the registry says
// it stored is checked, by its answer and by a HEAD. A registry that does not find a blob it just took ("blob unknown")
// is asked about every blob, gets what it lacks, and is tried once more.
//
// A layer that ghcr.io would refuse for its size stops its image before anything of it is sent, and one that needs more
// than ghcr.io's 10 minutes at the best rate that this session has measured (of uploads of 8 MiB and more) stops it
// before that layer is sent. Until something is measured every layer is taken to be fast enough: a layer of the
// permitted 10 GB is, from 17 MB a second on.
//
// One image's failure does not stop the others; only a cancelled session throws.
std::vector<PushOutcome> push_images(RemoteSession& session, const ContentStore& store,
                                     std::span<const PushRequest> images, const PushOptions& options = {},
                                     TransferObserver* observer = nullptr);

// The same for one image; throws its error.
PushOutcome push_image(RemoteSession& session, const ContentStore& store, const PushRequest& image,
                       const PushOptions& options = {}, TransferObserver* observer = nullptr);

// Adds another name to an image that the registry has in the same repository: fetches the manifest's bytes and
// puts them under the new tag. Returns its descriptor.
oci::Descriptor tag_image(RemoteSession& session, const oci::Reference& existing, const std::string& new_tag);

}  // namespace kiln
