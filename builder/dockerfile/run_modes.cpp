#include "builder/dockerfile/run_modes.hpp"

namespace kiln {

std::optional<NetworkMode> parse_network_mode(std::string_view word) {
  for (const NetworkMode mode : {NetworkMode::build, NetworkMode::host, NetworkMode::none}) {
    if (word == to_string(mode)) return mode;
  }
  return std::nullopt;
}

std::optional<NetworkMode> parse_build_network(std::string_view word) {
  return word == to_string(NetworkMode::recorded) ? NetworkMode::recorded : parse_network_mode(word);
}

std::string_view to_string(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::build:
      return "default";
    case NetworkMode::host:
      return "host";
    case NetworkMode::none:
      return "none";
    case NetworkMode::recorded:
      return "recorded";
  }
  return "";
}

std::optional<SecurityMode> parse_security_mode(std::string_view word) {
  for (const SecurityMode mode : {SecurityMode::sandbox, SecurityMode::insecure}) {
    if (word == to_string(mode)) return mode;
  }
  return std::nullopt;
}

std::string_view to_string(SecurityMode mode) { return mode == SecurityMode::insecure ? "insecure" : "sandbox"; }

}  // namespace kiln
