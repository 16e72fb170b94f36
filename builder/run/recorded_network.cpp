#include "builder/run/recorded_network.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "builder/netlog/recording_proxy.hpp"

namespace kiln {

namespace {

constexpr std::uint16_t kNamePort = 53;

[[noreturn]] void fail_to_record(const char* what) {
  throw Error(Category::machine,
              fmt::format("network 'recorded' cannot be had on this machine: cannot {}: {}; use '--network-log', which "
                          "records what goes through the proxy and blocks nothing",
                          what, errno_text(errno)));
}

Fd open_socket(int family, int type, int protocol) {
  Fd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket) fail_to_record("create a socket");
  return socket;
}

unsigned raise_loopback() {
  const Fd socket = open_socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) fail_to_record("bring the loopback device up");
  const unsigned index = ::if_nametoindex("lo");
  if (index == 0) fail_to_record("find the loopback device");
  return index;
}

// As `ip route add local 0.0.0.0/0 dev lo`, or ::/0.
bool make_all_local(int family, unsigned device) {
  struct {
    nlmsghdr header;
    rtmsg route;
    rtattr attribute;
    std::uint32_t device;
  } message{};
  static_assert(sizeof message == NLMSG_LENGTH(sizeof(rtmsg)) + RTA_LENGTH(sizeof(std::uint32_t)));
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = RTM_NEWROUTE;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
  message.route.rtm_family = static_cast<unsigned char>(family);
  message.route.rtm_table = RT_TABLE_LOCAL;
  message.route.rtm_protocol = RTPROT_BOOT;
  message.route.rtm_scope = RT_SCOPE_HOST;
  message.route.rtm_type = RTN_LOCAL;
  message.attribute.rta_len = RTA_LENGTH(sizeof message.device);
  message.attribute.rta_type = RTA_OIF;
  message.device = device;
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket || ::send(socket.get(), &message, sizeof message, 0) < 0) return false;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } answer{};
  if (::recv(socket.get(), &answer, sizeof answer, 0) < 0) return false;
  errno = -answer.error.error;
  return answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
}

// Lets through what is for other addresses than 127.0.0.0/8 and ::1: what a RUN's programs say to one another there may
// be much, and is no attempt.
void drop_loopback_packets(const Fd& socket) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),            // 0: version and length
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),        // 1
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 2),  // 2: IPv4
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16),           // 3
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 127, 9, 10),  // 4
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, 8),  // 5: IPv6
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24),           // 6
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7),     // 7
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 28),           // 8
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),     // 9
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 32),           // 10
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),     // 11
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 36),           // 12
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),     // 13
      BPF_STMT(BPF_RET | BPF_K, 0),                     // 14
      BPF_STMT(BPF_RET | BPF_K, 128),                   // 15
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    fail_to_record("filter packets");
  }
}

Fd watch_packets(unsigned device) {
  // No protocol yet: nothing is to come in before the filter is there.
  Fd socket = open_socket(AF_PACKET, SOCK_DGRAM, 0);
  drop_loopback_packets(socket);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(device);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail_to_record("watch the loopback device");
  return socket;
}

Fd listen_for_names() {
  Fd socket = open_socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kNamePort);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail_to_record("listen for names");
  return socket;
}

}  // namespace

NamespaceSockets enter_recorded_network() {
  if (::unshare(CLONE_NEWNET) != 0) fail_to_record("make a network namespace");
  const unsigned device = raise_loopback();
  if (!make_all_local(AF_INET, device)) fail_to_record("make every address local");
  make_all_local(AF_INET6, device);  // a machine without IPv6 has none to lead away from
  NamespaceSockets sockets;
  sockets.packets = watch_packets(device);
  sockets.names = listen_for_names();
  sockets.proxy = listen_on_loopback(kRecordedProxyPort).socket;
  return sockets;
}

}  // namespace kiln
