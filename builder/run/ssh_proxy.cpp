#include "builder/run/ssh_proxy.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace kiln {

namespace {

sockaddr_un address_of(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    throw Error(Category::machine, fmt::format("socket '{}': its path is longer than the {} bytes a socket may have",
                                               path.native(), sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  return address;
}

bool move_bytes(const Fd& from, const Fd& to) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
  if (got <= 0) return got < 0 && errno == EINTR;
  for (ssize_t done = 0; done < got;) {
    const ssize_t put = ::send(to.get(), buffer.data() + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
    if (put < 0 && errno != EINTR) return false;
    if (put > 0) done += put;
  }
  return true;
}

// Until either side has closed.
void join_sockets(const Fd& client, const Fd& agent) {
  for (;;) {
    std::array<pollfd, 2> polled{pollfd{client.get(), POLLIN, 0}, pollfd{agent.get(), POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (polled[0].revents && !move_bytes(client, agent)) return;
    if (polled[1].revents && !move_bytes(agent, client)) return;
  }
}

[[noreturn]] void serve(const Fd& listener, const sockaddr_un& agent_address) {
  ::signal(SIGCHLD, SIG_IGN);
  for (;;) {
    const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      ::_exit(1);
    }
    if (::fork() != 0) continue;
    const Fd agent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(agent.get(), reinterpret_cast<const sockaddr*>(&agent_address), sizeof agent_address) == 0) {
      join_sockets(client, agent);
    }
    ::_exit(0);
  }
}

}  // namespace

void start_ssh_proxy(const SshSource& source, const fs::path& place) {
  const sockaddr_un agent_address = address_of(source.agent);
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&agent_address), sizeof agent_address) != 0) {
    throw_errno("reach the ssh agent at", source.agent.native());
  }
  // The short name of the folder keeps within what a socket's path may have.
  const Fd folder = open_directory(place.parent_path());
  const sockaddr_un own = address_of(fmt::format("/proc/self/fd/{}/{}", folder.get(), place.filename().native()));
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      ::listen(listener.get(), 64) != 0) {
    throw_errno("listen on", place.native());
  }
  if (::chown(place.c_str(), source.uid, source.gid) != 0) throw_errno("change the owner of", place.native());
  if (::chmod(place.c_str(), source.mode & 07777) != 0) throw_errno("change the mode of", place.native());
  const pid_t child = ::fork();
  if (child < 0) throw_errno("fork for", "the ssh agent's proxy");
  if (child == 0) serve(listener, agent_address);
}

}  // namespace kiln
