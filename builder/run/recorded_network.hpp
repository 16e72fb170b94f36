#pragma once

#include <cstdint>

#include "builder/netlog/namespace_watch.hpp"

namespace kiln {

// The port on 127.0.0.1 at which the recording proxy of a RUN with RunNetwork::recorded is: in a network of its own it
// can be the same always, so that no environment differs from one execution to the next.
inline constexpr std::uint16_t kRecordedProxyPort = 9431;

// Moves this process into a new network namespace, which children and what they execute inherit. It has nothing but a
// loopback device, to which every address belongs: what connects to anywhere is refused at once, and its packet names
// where it wanted to go. Error{machine} where the machine has no network namespaces for kiln.
NamespaceSockets enter_recorded_network();

}  // namespace kiln
