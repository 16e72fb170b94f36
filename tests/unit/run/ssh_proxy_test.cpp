#include "builder/run/ssh_proxy.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>

using namespace kiln;

namespace {

std::pair<Fd, Fd> socket_pair() {
  int both[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
  return {Fd(both[0]), Fd(both[1])};
}

std::string agent_message(char type, std::string_view contents = {}) {
  const std::size_t length = contents.size() + 1;
  std::string message;
  for (const int shift : {24, 16, 8, 0}) message += static_cast<char>(length >> shift & 0xff);
  return message + type + std::string(contents);
}

void put(const Fd& socket, std::string_view bytes) {
  REQUIRE(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

// `size` bytes, or what came before the end.
std::string got(const Fd& socket, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t more = ::read(socket.get(), bytes.data() + have, size - have);
    if (more <= 0) break;
    have += static_cast<std::size_t>(more);
  }
  bytes.resize(have);
  return bytes;
}

const std::string kFailure = agent_message(5);

struct ServedAgent {
  ServedAgent() {
    std::tie(client, proxy_client) = socket_pair();
    std::tie(agent, proxy_agent) = socket_pair();
    thread = std::thread([this] {
      serve_agent_client(proxy_client, proxy_agent);
      proxy_client.reset();
      proxy_agent.reset();
    });
  }
  ~ServedAgent() {
    client.reset();
    agent.reset();
    thread.join();
  }
  Fd client, proxy_client, agent, proxy_agent;
  std::thread thread;
};

}  // namespace

TEST_CASE("an agent is asked for its identities and for signatures, in pieces and several at once") {
  ServedAgent served;
  const std::string list = agent_message(11), sign = agent_message(13, std::string(100'000, 'k'));
  put(served.client, list.substr(0, 2));
  put(served.client, list.substr(2) + agent_message(13, "data"));
  CHECK(got(served.agent, list.size()) == list);
  put(served.agent, agent_message(12, "none"));
  CHECK(got(served.client, 9) == agent_message(12, "none"));
  CHECK(got(served.agent, 9) == agent_message(13, "data"));
  const std::string signature = agent_message(14, std::string(200'000, 's'));
  std::thread answering([&] { put(served.agent, signature); });
  CHECK(got(served.client, signature.size()) == signature);
  answering.join();
  std::thread asking([&] { put(served.client, sign); });
  CHECK(got(served.agent, sign.size()) == sign);
  asking.join();
}

TEST_CASE("what would change an agent, or is an extension, is refused and never reaches it") {
  ServedAgent served;
  std::string refused, failures;
  // Adding and removing keys and cards, locking, extensions, the first version's messages, and what no draft has.
  for (const int type : {1, 3, 9, 10, 14, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 255}) {
    refused += agent_message(static_cast<char>(type), "x");
    failures += kFailure;
  }
  put(served.client, refused + agent_message(11));
  CHECK(got(served.client, failures.size()) == failures);
  CHECK(got(served.agent, 5) == agent_message(11));
}

TEST_CASE("a message that is empty or longer than 256 KiB ends the connection to an agent") {
  for (const std::string& head : {std::string("\0\0\0\0", 4), std::string("\0\4\0\1", 4), std::string(4, '\xff')}) {
    ServedAgent served;
    put(served.client, head + '\x0b');
    CHECK(got(served.client, 1).empty());
    CHECK(got(served.agent, 1).empty());
  }
  ServedAgent served;
  put(served.client, agent_message(11));
  CHECK(got(served.agent, 5) == agent_message(11));
  put(served.agent, std::string("\0\4\0\1", 4));
  CHECK(got(served.client, 1).empty());
}
