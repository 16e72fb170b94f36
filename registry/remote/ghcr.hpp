#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/remote/http.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln::ghcr {

// What only GitHub's container registry does. The rest of the room asks these functions and knows nothing
// else of it.

inline constexpr std::uint64_t kMaxLayerBytes = std::uint64_t{10} * 1000 * 1000 * 1000;
inline constexpr double kMaxUploadSeconds = 600;

// ghcr.io, or a GitHub Enterprise "containers.HOST" registry.
bool is_ghcr(std::string_view authority);

// A blob that GHCR will not take, before a byte is sent: larger than 10 GB, or one that at `bytes_per_second`
// (0: not known yet) needs more than 10 minutes. `what` names the layer in the message (it may name a
// Dockerfile line). nullopt where nothing speaks against it.
std::optional<std::string> upload_objection(const oci::Descriptor& blob, std::string_view what,
                                            double bytes_per_second);

// What to do about a refusal, to be added to its message: the package's "Manage Actions access" setting for a
// 403 "write_package", packages: write for Actions, the token's scopes otherwise. "" where GHCR's answer
// needs none.
std::string advice(const HttpResponse& response, std::string_view repository);

// What to say of repositories whose images do not name their source (names_its_source): not empty.
std::string unlinked_advice(const std::vector<std::string>& repositories);

}  // namespace kiln::ghcr
