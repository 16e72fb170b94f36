#include "builder/run/ssh_proxy.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

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

constexpr std::uint32_t kMostFrameBytes = std::uint32_t{256} << 10;  // ssh-agent's own bound

// Of draft-miller-ssh-agent, 5.1.
constexpr unsigned char kAgentFailure = 5;
constexpr unsigned char kRequestIdentities = 11;
constexpr unsigned char kSignRequest = 13;

bool read_exactly(const Fd& from, char* place, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::read(from.get(), place, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    place += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool send_exactly(const Fd& to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno != EINTR) return false;
    if (put > 0) bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

// A message: its length in four bytes, the most significant first, its type, its contents. False at the end of the
// connection, and for a message that is empty or longer than agents take.
bool read_frame(const Fd& from, std::string& frame) {
  std::array<unsigned char, 4> head{};
  if (!read_exactly(from, reinterpret_cast<char*>(head.data()), head.size())) return false;
  std::uint32_t length = 0;
  for (const unsigned char byte : head) length = length << 8 | byte;
  if (length == 0 || length > kMostFrameBytes) return false;
  frame.assign(head.begin(), head.end());
  frame.resize(head.size() + length);
  return read_exactly(from, frame.data() + head.size(), length);
}

bool may_ask_agent(const std::string& frame) {
  const auto type = static_cast<unsigned char>(frame[4]);
  return type == kRequestIdentities || type == kSignRequest;
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
      serve_agent_client(client, agent);
    }
    ::_exit(0);
  }
}

}  // namespace

void serve_agent_client(const Fd& client, const Fd& agent) {
  const std::string failure{0, 0, 0, 1, static_cast<char>(kAgentFailure)};
  std::string frame;
  while (read_frame(client, frame)) {
    if (!may_ask_agent(frame)) {
      if (!send_exactly(client, failure)) return;
      continue;
    }
    if (!send_exactly(agent, frame) || !read_frame(agent, frame) || !send_exactly(client, frame)) return;
  }
}

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
