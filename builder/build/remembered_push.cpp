#include "builder/build/remembered_push.hpp"

#include <fmt/format.h>

#include <set>

#include "base/clock.hpp"
#include "registry/store/closure.hpp"

namespace kiln {

namespace {

std::string tagged_name(oci::Reference target) {
  if (target.tag) target.digest.reset();
  return target.str();
}

}  // namespace

PendingPush remembered_push(const ContentStore& store, const oci::Descriptor& root, const oci::Reference& target,
                            const BlobSources& sources, const std::string& problem) {
  PendingPush push;
  push.target = target.str();
  push.root = {root.media_type, root.digest, root.size, {}, {}, {}};
  for (const oci::Descriptor& blob : closure_of(store, root)) {
    const auto source = sources.find(blob.digest);
    push.blobs.push_back({blob.digest, source == sources.end() ? "" : source->second});
  }
  push.since = format_rfc3339(now_unix_seconds());
  push.problem = problem;
  return push;
}

std::size_t remember_outcomes(const ContentStore& store, std::span<const PushRequest> requests,
                              std::span<const PushOutcome> outcomes, const BlobSources& sources) {
  std::vector<std::string> pushed;
  std::vector<PendingPush> failed;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    std::set<std::string> done;
    for (const PushedTarget& target : outcomes[i].targets) done.insert(tagged_name(target.target));
    pushed.insert(pushed.end(), done.begin(), done.end());
    if (!outcomes[i].error) continue;
    for (const oci::Reference& target : requests[i].targets) {
      if (!done.count(tagged_name(target)))
        failed.push_back(remembered_push(store, requests[i].root, target, sources, outcomes[i].error->message()));
    }
  }
  PendingPushes(store.home()).update(pushed, failed);
  return failed.size();
}

std::string remembered_note(std::size_t pushes) {
  return fmt::format("{} push{} remembered; 'kiln push --pending' sends {}", pushes, pushes == 1 ? " is" : "es are",
                     pushes == 1 ? "it" : "them");
}

}  // namespace kiln
