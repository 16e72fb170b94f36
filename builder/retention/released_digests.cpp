#include "builder/retention/released_digests.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "registry/remote/release_record.hpp"

namespace kiln {

std::map<oci::Digest, std::string> released_digests(RemoteSession& session, const std::string& registry_and_namespace) {
  std::map<oci::Digest, std::string> released;
  const auto releases =
      with_context([&] { return fmt::format("while reading what the releases of '{}' keep", registry_and_namespace); },
                   [&] { return fetch_releases(session, registry_and_namespace); });
  for (const StoredRelease& release : releases) {
    for (const ReleasedImage& image : release.record.images)
      released.emplace(image.manifest.digest, release.record.name);
  }
  return released;
}

}  // namespace kiln
