#include "builder/cli/images/attached_documents.hpp"

#include <fmt/format.h>

#include <deque>
#include <set>

#include "base/error.hpp"
#include "builder/cli/images/image_documents.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/referrers.hpp"

namespace kiln::cli {

namespace {

// An image and, of an index, the images that it holds.
std::deque<oci::Digest> subjects_of(const ContentStore& store, const oci::Descriptor& root) {
  std::deque<oci::Digest> subjects = {root.digest};
  if (!oci::media_type::is_index(root.media_type)) return subjects;
  for (const oci::Descriptor& child : oci::parse_index(store.read(root.digest), root.digest.str()).manifests)
    subjects.push_back(child.digest);
  return subjects;
}

}  // namespace

std::vector<oci::Descriptor> fetch_attached(RegistrySession& session, const oci::Reference& source,
                                            const oci::Descriptor& root) {
  std::vector<oci::Descriptor> found;
  std::deque<oci::Digest> subjects = subjects_of(session.store(), root);
  std::set<oci::Digest> seen(subjects.begin(), subjects.end());
  StderrLog log;
  try {
    RegistryClient client = session.remote().client_for(source);
    const std::string repository = session.remote().repository_of(source).repository;
    for (; !subjects.empty(); subjects.pop_front()) {
      for (const Referrer& referrer : list_referrers(client, repository, subjects.front())) {
        const oci::Digest& digest = referrer.descriptor.digest;
        if (!seen.insert(digest).second) continue;
        if (found.size() == kMostAttached) {
          log.warn(fmt::format("'{}' has more than {} artifacts attached; the others are left out", source.str(),
                               kMostAttached));
          return found;
        }
        oci::Reference artifact = source;
        artifact.tag.reset();
        artifact.digest = digest;
        found.push_back(fetch_documents(session, artifact));
        subjects.push_back(digest);
      }
    }
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    log.warn(fmt::format("what else is attached to '{}' is left out: {}", source.str(), error.message()));
  }
  return found;
}

}  // namespace kiln::cli
