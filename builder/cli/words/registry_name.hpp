#pragma once

#include <string>
#include <string_view>

#include "registry/remote/registry_client.hpp"

namespace kiln::cli {

// "host[:port]" as a word of a command. Error{usage} for anything else, an image's name or a URL too.
std::string parse_registry_name(std::string_view text);

// A client for a registry as such, where no image of it is meant.
RegistryClient client_of(RemoteSession& session, const std::string& registry);

}  // namespace kiln::cli
