#include "registry/remote/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace kiln {

namespace {

struct Block4 {
  std::uint32_t network;
  int bits;
  AddressClass address_class;
};

constexpr std::uint32_t ip4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// The IANA special-purpose registry, as far as something could answer there.
constexpr Block4 kBlocks4[] = {
    {ip4(0, 0, 0, 0), 8, AddressClass::loopback},
    {ip4(127, 0, 0, 0), 8, AddressClass::loopback},
    {ip4(169, 254, 0, 0), 16, AddressClass::link_local},
    {ip4(10, 0, 0, 0), 8, AddressClass::private_network},
    {ip4(172, 16, 0, 0), 12, AddressClass::private_network},
    {ip4(192, 168, 0, 0), 16, AddressClass::private_network},
    {ip4(100, 64, 0, 0), 10, AddressClass::private_network},
    {ip4(192, 0, 0, 0), 24, AddressClass::private_network},
    {ip4(198, 18, 0, 0), 15, AddressClass::private_network},
    {ip4(224, 0, 0, 0), 3, AddressClass::private_network},
};

AddressClass classify4(std::uint32_t address) {
  for (const Block4& block : kBlocks4) {
    if ((address ^ block.network) >> (32 - block.bits) == 0) return block.address_class;
  }
  return AddressClass::public_network;
}

std::uint32_t embedded4(const in6_addr& address, int at) {
  return ip4(address.s6_addr[at], address.s6_addr[at + 1], address.s6_addr[at + 2], address.s6_addr[at + 3]);
}

AddressClass classify6(const in6_addr& address) {
  const auto* b = address.s6_addr;
  constexpr unsigned char kNat64[12] = {0x00, 0x64, 0xff, 0x9b};
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address) || std::memcmp(b, kNat64, 12) == 0) {
    if (IN6_IS_ADDR_LOOPBACK(&address)) return AddressClass::loopback;
    return classify4(embedded4(address, 12));
  }
  if (IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address)) return AddressClass::loopback;
  if (b[0] == 0x20 && b[1] == 0x02) return classify4(embedded4(address, 2));  // 6to4
  if (IN6_IS_ADDR_LINKLOCAL(&address)) return AddressClass::link_local;
  if ((b[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(&address) || b[0] == 0xff) return AddressClass::private_network;
  return AddressClass::public_network;
}

std::string bare(std::string_view address) {
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return std::string(address.substr(0, address.find('%')));
}

}  // namespace

std::string_view to_string(AddressClass address_class) {
  switch (address_class) {
    case AddressClass::public_network:
      return "public";
    case AddressClass::private_network:
      return "private";
    case AddressClass::loopback:
      return "loopback";
    case AddressClass::link_local:
      return "link-local";
  }
  return "unknown";
}

AddressClass classify_address(std::string_view address) {
  const std::string text = bare(address);
  in_addr four;
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return classify4(ntohl(four.s_addr));
  in6_addr six;
  if (::inet_pton(AF_INET6, text.c_str(), &six) == 1) return classify6(six);
  return AddressClass::link_local;
}

bool is_numeric_address(std::string_view host) {
  const std::string text = bare(host);
  in6_addr six;
  in_addr four;
  return ::inet_pton(AF_INET, text.c_str(), &four) == 1 || ::inet_pton(AF_INET6, text.c_str(), &six) == 1;
}

}  // namespace kiln
