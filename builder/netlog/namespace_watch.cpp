#include "builder/netlog/namespace_watch.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/block_signals.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxPacketBytes = 2048;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kAck = 0x10;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

unsigned number_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

std::string address_text(int family, std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, bytes.data(), text, sizeof text);
  return family == AF_INET6 ? fmt::format("[{}]", text) : text;
}

std::string attempt_at(const std::string& address, std::uint8_t protocol, std::string_view payload) {
  if (protocol == kTcp && payload.size() >= 14) {
    const std::uint8_t flags = byte_at(payload, 13);
    if ((flags & kSyn) != 0 && (flags & kAck) == 0) return fmt::format("{}:{}", address, number_at(payload, 2));
  }
  if (protocol == kUdp && payload.size() >= 4) return fmt::format("{}:{} by UDP", address, number_at(payload, 2));
  return "";
}

}  // namespace

std::string attempt_of_packet(std::string_view packet) {
  if (packet.empty()) return "";
  const int version = byte_at(packet, 0) >> 4;
  if (version == 4) {
    const std::size_t head = (byte_at(packet, 0) & 0x0fu) * 4u;
    if (head < 20 || packet.size() < head) return "";
    if ((number_at(packet, 6) & 0x1fffu) != 0) return "";  // a later fragment
    return attempt_at(address_text(AF_INET, packet.substr(16, 4)), byte_at(packet, 9), packet.substr(head));
  }
  // Behind an extension header stands no connection of a usual program.
  if (version == 6 && packet.size() >= 40)
    return attempt_at(address_text(AF_INET6, packet.substr(24, 16)), byte_at(packet, 6), packet.substr(40));
  return "";
}

NameQuery refuse_query(std::string_view query) {
  constexpr std::size_t kHeaderBytes = 12;
  NameQuery result;
  if (query.size() < kHeaderBytes || (byte_at(query, 2) & 0x80) != 0 || number_at(query, 4) != 1) return result;
  std::size_t at = kHeaderBytes;
  for (;;) {
    if (at >= query.size()) return result;
    const std::size_t label = byte_at(query, at++);
    if (label == 0) break;
    if (label > 63 || at + label > query.size() || result.name.size() > 253) return result;
    if (!result.name.empty()) result.name += '.';
    result.name += query.substr(at, label);
    at += label;
  }
  if (at + 4 > query.size()) return result;
  const unsigned type = number_at(query, at);
  result.is_for_address = type == 1 || type == 28;
  // The header with "answer, no such name", and the question.
  result.answer = query.substr(0, at + 4);
  result.answer[2] = static_cast<char>(0x80 | (byte_at(query, 2) & 0x79));
  result.answer[3] = static_cast<char>(0x83);
  std::fill(result.answer.begin() + 6, result.answer.begin() + static_cast<std::ptrdiff_t>(kHeaderBytes), '\0');
  return result;
}

struct NamespaceWatch::State {
  void note(std::string attempt) {
    if (attempts.size() >= kMostAttempts || std::find(attempts.begin(), attempts.end(), attempt) != attempts.end())
      return;
    attempts.push_back(std::move(attempt));
  }

  void read_packets() {
    std::array<char, kMaxPacketBytes> buffer;
    for (;;) {
      const ssize_t got = ::recv(packets.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;
      std::string attempt = attempt_of_packet(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
      if (!attempt.empty()) note(std::move(attempt));
    }
  }

  void answer_names() {
    std::array<char, kMaxPacketBytes> buffer;
    for (;;) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(names.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;
      const NameQuery query = refuse_query(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
      if (query.answer.empty()) continue;
      if (query.is_for_address) note(fmt::format("the address of '{}'", printable(query.name)));
      ::sendto(names.get(), query.answer.data(), query.answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&from), size);
    }
  }

  void watch() {
    block_signals();
    for (bool is_over = false; !is_over;) {
      std::array<pollfd, 3> polled{pollfd{packets.get(), POLLIN, 0}, pollfd{names.get(), POLLIN, 0},
                                   pollfd{stop.get(), POLLIN, 0}};
      if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
      is_over = polled[2].revents != 0;
      // What is there when it ends was tried before.
      read_packets();
      answer_names();
    }
  }

  Fd packets;
  Fd names;
  Fd stop{::eventfd(0, EFD_CLOEXEC)};
  std::vector<std::string> attempts;  // the thread's until it has ended
  std::thread thread;
};

NamespaceWatch::NamespaceWatch(Fd packets, Fd names) : state_(std::make_unique<State>()) {
  state_->packets = std::move(packets);
  state_->names = std::move(names);
  if (!state_->stop) throw_errno("create", "an eventfd");
  state_->thread = std::thread([state = state_.get()] { state->watch(); });
}

NamespaceWatch::~NamespaceWatch() {
  if (state_->thread.joinable()) finish();
}

std::vector<std::string> NamespaceWatch::finish() {
  const std::uint64_t one = 1;
  if (::write(state_->stop.get(), &one, sizeof one) < 0) throw_errno("wake", "the watch of a network");
  state_->thread.join();
  return std::move(state_->attempts);
}

}  // namespace kiln
