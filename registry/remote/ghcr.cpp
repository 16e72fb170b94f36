#include "registry/remote/ghcr.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln::ghcr {

bool is_ghcr(std::string_view authority) {
  const std::string host = to_lower(authority.substr(0, authority.find(':')));
  return host == "ghcr.io" || (host.starts_with("containers.") && host.ends_with(".ghe.com"));
}

std::optional<std::string> upload_objection(const oci::Descriptor& blob, std::string_view what,
                                            double bytes_per_second) {
  if (blob.size > kMaxLayerBytes) {
    return fmt::format("{} has {}, and ghcr.io takes at most {} in one layer; split the step that makes it", what,
                       human_bytes(blob.size), human_bytes(kMaxLayerBytes));
  }
  if (bytes_per_second > 0 && static_cast<double>(blob.size) / bytes_per_second > kMaxUploadSeconds) {
    return fmt::format(
        "{} has {}, which takes {} at {} a second, and ghcr.io ends uploads after {}; split the step that "
        "makes it, or push from a faster network",
        what, human_bytes(blob.size), human_seconds(static_cast<double>(blob.size) / bytes_per_second),
        human_bytes(static_cast<std::uint64_t>(bytes_per_second)), human_seconds(kMaxUploadSeconds));
  }
  return std::nullopt;
}

std::string advice(const HttpResponse& response, std::string_view repository) {
  const std::string body = to_lower(response.body);
  if (response.status == 403 && body.find("rate limit") != std::string::npos) {
    return "GitHub throttles this account (secondary rate limit); wait some minutes, or push fewer images at "
           "once";
  }
  const std::size_t slash = repository.find('/');
  const std::string owner(repository.substr(0, slash));
  const std::string package(slash == std::string_view::npos ? repository : repository.substr(slash + 1));
  if (response.status == 403 &&
      (body.find("write_package") != std::string::npos || body.find("permission_denied") != std::string::npos)) {
    return fmt::format(
        "the account may not write package '{}' of '{}'. In GitHub Actions: give the job 'permissions: "
        "packages: "
        "write', and add this repository with the role Write under the package's settings, 'Manage Actions "
        "access'. With a personal token: it needs the scope write:packages",
        package, owner);
  }
  if (response.status == 401 || response.status == 403) {
    return fmt::format(
        "a token for ghcr.io needs the scope read:packages to pull and write:packages to push; run 'kiln "
        "login "
        "ghcr.io', and check that '{}' is right, since ghcr.io answers alike for a package that does not "
        "exist",
        repository);
  }
  return {};
}

std::string unlinked_advice(const std::vector<std::string>& repositories) {
  return fmt::format(
      "'{}'{} says by no label org.opencontainers.image.source which repository it is of, so GitHub links the package "
      "to none, and that "
      "repository's workflows cannot write it; set \"source\" in fleet.json, or 'LABEL "
      "org.opencontainers.image.source=https://github.com/OWNER/REPOSITORY' in the Dockerfile",
      repositories.front(), repositories.size() == 1 ? "" : fmt::format(" (and {} more)", repositories.size() - 1));
}

}  // namespace kiln::ghcr
