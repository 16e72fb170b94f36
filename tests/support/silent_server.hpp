#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <stdexcept>

#include "base/fd.hpp"

namespace kiln::test {

// A server on loopback that takes connections and says nothing.
class SilentServer {
 public:
  SilentServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const auto pointer = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), pointer, size) != 0 || ::listen(listener_.get(), 8) != 0 ||
        ::getsockname(listener_.get(), pointer, &size) != 0)
      throw std::runtime_error("cannot listen on loopback");
    port_ = ntohs(address.sin_port);
  }
  int port() const noexcept { return port_; }

 private:
  Fd listener_;
  int port_ = 0;
};

}  // namespace kiln::test
