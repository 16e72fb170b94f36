#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"

namespace kiln {

// Sockets of a network namespace that has no way out and in which every address is local.
struct NamespaceSockets {
  Fd proxy;    // a listening TCP socket
  Fd packets;  // AF_PACKET, SOCK_DGRAM: what arrives at the loopback device for other addresses than its own
  Fd names;    // UDP, port 53
};

// Names what the programs of such a namespace try around the proxy. A connection is refused by the kernel, since
// nothing listens; a name is answered with "there is no such name". In a thread of its own.
class NamespaceWatch {
 public:
  static constexpr std::size_t kMostAttempts = 100;

  NamespaceWatch(Fd packets, Fd names);
  ~NamespaceWatch();
  NamespaceWatch(const NamespaceWatch&) = delete;
  NamespaceWatch& operator=(const NamespaceWatch&) = delete;

  // What was tried, in order: "93.184.216.34:443", "198.51.100.7:123 by UDP", "the address of 'example.org'". Once.
  std::vector<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What an IP packet tries: its destination, where it begins a TCP connection or is of UDP; "" for any other.
std::string attempt_of_packet(std::string_view packet);

// A query of DNS (RFC 1035, section 4), from anybody: what is asked for, and the answer that there is no such name.
struct NameQuery {
  std::string name;
  bool is_for_address = false;  // A or AAAA
  std::string answer;           // empty for what is no query
};
NameQuery refuse_query(std::string_view query);

}  // namespace kiln
