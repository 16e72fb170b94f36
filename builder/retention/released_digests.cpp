#include "builder/retention/released_digests.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/release_record.hpp"

namespace kiln {

namespace {

void require_known(RemoteSession& session, const std::string& registry_and_namespace) {
  const oci::Reference releases =
      oci::Reference::parse(fmt::format("{}/{}", registry_and_namespace, kReleasesRepository));
  if (session.client_for(releases).find_tags(session.repository_of(releases).repository)) return;
  throw Error(Category::network,
              fmt::format("'{}' is listed and then not found; the account may not see it", releases.name()));
}

}  // namespace

std::map<oci::Digest, std::string> released_digests(RemoteSession& session, const std::string& registry_and_namespace,
                                                    bool is_listed) {
  std::map<oci::Digest, std::string> released;
  const auto releases =
      with_context([&] { return fmt::format("while reading what the releases of '{}' keep", registry_and_namespace); },
                   [&] {
                     if (is_listed) require_known(session, registry_and_namespace);
                     return fetch_releases(session, registry_and_namespace);
                   });
  for (const StoredRelease& release : releases) {
    for (const ReleasedImage& image : release.record.images)
      released.emplace(image.manifest.digest, release.record.name);
  }
  return released;
}

}  // namespace kiln
