#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "registry/remote/push.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/pending_pushes.hpp"

namespace kiln {

// The repository that a blob can be had from which may not be in the store, as "HOST[:PORT]/path".
using BlobSources = std::map<oci::Digest, std::string>;

// A push of an image to one target, as it is remembered.
PendingPush remembered_push(const ContentStore& store, const oci::Descriptor& root, const oci::Reference& target,
                            const BlobSources& sources, const std::string& problem);

// What pushing came to goes into the home's list: targets that were done are forgotten, others remembered. `outcomes`
// are those of `requests`, in their order. How many are remembered of these.
std::size_t remember_outcomes(const ContentStore& store, std::span<const PushRequest> requests,
                              std::span<const PushOutcome> outcomes, const BlobSources& sources);

// What to tell about it: "2 pushes are remembered; ...".
std::string remembered_note(std::size_t pushes);

}  // namespace kiln
