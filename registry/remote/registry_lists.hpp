#pragma once

#include <optional>
#include <string>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/registry_transport.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

struct TagList {
  std::vector<std::string> tags;
  std::vector<std::string> invalid;  // names that are no tags by the distribution specification
};

// The lists a registry keeps: tags, repositories, referrers. Each comes in pages that are followed within the rules of
// RegistryTransport::follow(). What is said of them: RegistryClient. Any thread.
class RegistryLists {
 public:
  RegistryLists(RemoteSession& session, RegistryTransport& transport) : session_(session), transport_(transport) {}

  // nullopt where the registry has no such repository.
  std::optional<TagList> find_tags(const std::string& repository);
  std::vector<std::string> tags(const std::string& repository);
  std::vector<std::string> repositories();
  // nullopt where the registry has no referrers API.
  std::optional<std::vector<oci::Descriptor>> referrers(const std::string& repository, const oci::Digest& subject,
                                                        const std::string& artifact_type);

 private:
  RemoteSession& session_;
  RegistryTransport& transport_;
};

}  // namespace kiln
