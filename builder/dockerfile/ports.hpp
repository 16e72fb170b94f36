#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// The config's ExposedPorts for one (expanded) word of EXPOSE: "80" -> {"80/tcp"}, "8000-8001/UDP" ->
// {"8000/udp", "8001/udp"}; an address and a host port in front are accepted and dropped, as docker does.
// Error{usage} for anything else.
std::vector<std::string> exposed_ports(std::string_view word);

}  // namespace kiln::dockerfile
