#pragma once

#include <optional>
#include <string_view>

namespace kiln {

// RUN --network, and the network of a build's RUN steps.
enum class NetworkMode {
  build,  // "default": the network that the build has
  host,
  none,
  recorded,  // kiln's own, of a build alone: no RUN says it
};

// RUN --security.
enum class SecurityMode { sandbox, insecure };

// The word of the Dockerfile; nullopt for one that is none.
std::optional<NetworkMode> parse_network_mode(std::string_view word);
// A build's word: "recorded" too.
std::optional<NetworkMode> parse_build_network(std::string_view word);
std::string_view to_string(NetworkMode mode);
std::optional<SecurityMode> parse_security_mode(std::string_view word);
std::string_view to_string(SecurityMode mode);

}  // namespace kiln
