#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "builder/dockerfile/run_modes.hpp"
#include "builder/run/run_request.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::cli {

// Values that several commands' flags have in common. Errors are Error{usage} naming the flag.

// "K=V" (or "K" alone: the value of the environment variable K, left out where it is not set).
std::map<std::string, std::string> parse_build_args(const std::vector<std::string>& values);
// Says which of them have no value, since the environment has none either; the proxies' may be without.
void warn_of_args_without_value(const std::vector<std::string>& values, Log& log);
// "K=V".
std::map<std::string, std::string> parse_pairs(const std::vector<std::string>& values, std::string_view flag);
// --platform, of which each value may name several; without one the platforms of DOCKER_DEFAULT_PLATFORM, as docker has
// it. Empty where that is not set either: this machine's.
std::vector<oci::Platform> wanted_platforms(const std::vector<std::string>& values);
// --label: a name alone has an empty value, as with docker.
std::map<std::string, std::string> parse_labels(const std::vector<std::string>& values);
// --security: "sandbox" (also for "") or "hardened".
RunSecurity parse_security(std::string_view text);
// --network: "default", "host" or "none"; nullopt for "".
std::optional<NetworkMode> parse_network(std::string_view text);
// A flag's size: "64m", "1g", "1024".
std::uint64_t parse_size(std::string_view text, std::string_view flag);

}  // namespace kiln::cli
