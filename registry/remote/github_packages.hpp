#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "registry/oci/digest.hpp"
#include "registry/remote/registry_error.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/url.hpp"

namespace kiln {

// A version of a container package: one manifest with its tags.
struct PackageVersion {
  std::uint64_t id = 0;
  oci::Digest digest;
  std::vector<std::string> tags;
  std::optional<UnixSeconds> created;
};

struct UnreadableVersion {
  std::optional<oci::Digest> digest;  // of its manifest; none where its name is no digest, so that it is no manifest
  std::string problem;                // "'https://...': version 12 is not named by a digest"
};

struct PackageVersions {
  std::vector<PackageVersion> versions;
  std::vector<UnreadableVersion> unreadable;
};

enum class PackageRemoval {
  removed,
  absent,              // somebody else was faster
  too_many_downloads,  // public, and downloaded more than 5,000 times: only GitHub's support deletes it
  last_tagged,         // the last version with a tag: only the whole package can be deleted
};

// GitHub's packages REST API (docs.github.com, "REST API endpoints for packages"), which lists and deletes what
// ghcr.io's own protocol does not. Follows pages, waits where GitHub limits the rate (Retry-After, X-RateLimit-Reset),
// and tries again after faults. The token goes to the API's host alone; redirects are refused. RegistryError for
// refusals. Any thread.
class GithubPackages {
 public:
  // `api` is "https://api.github.com", or a GitHub Enterprise server's ".../api/v3"; https, or http on loopback.
  // Error{usage} for another.
  GithubPackages(RemoteSession& session, std::string_view api, std::string token);

  // The API's address: `named` ($GITHUB_API_URL), else that of the registry ("ghcr.io", "containers.HOST").
  static std::string api_of(std::string_view registry, std::string_view named);

  // The names of an owner's container packages: "acme/app" without the owner is "app".
  std::vector<std::string> packages(const std::string& owner) const;
  // All versions of `repository` ("acme/app"), over all pages; nullopt where there is no such package.
  // What in the list is no version of a container is told apart.
  std::optional<PackageVersions> versions(const std::string& repository) const;
  PackageRemoval remove(const std::string& repository, std::uint64_t id) const;
  // What brings a removed version back within 30 days.
  std::string restore_command(const std::string& repository, std::uint64_t id) const;

 private:
  struct Reply;
  Reply send(HttpMethod method, const Url& url) const;
  [[noreturn]] void refuse(const Reply& reply, const std::string& repository) const;
  // "orgs/acme" or "users/acme".
  std::string owner_path(const std::string& owner) const;
  Url url_of(const std::string& path) const;
  std::string package_path(const std::string& repository) const;

  RemoteSession& session_;
  Url api_;
  std::string token_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::string> owner_paths_;
};

}  // namespace kiln
