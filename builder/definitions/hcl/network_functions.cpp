#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;
__extension__ using Bits = unsigned __int128;

// An IP network: the address with the host's bits zero, as a number.
struct Network {
  Bits address = 0;
  int prefix = 0;
  int size = 32;  // bits of an address

  Bits host_mask() const { return prefix == 0 && size == 128 ? ~Bits{0} : (Bits{1} << (size - prefix)) - 1; }
};

std::string address_text(Bits address, int size) {
  std::array<unsigned char, 16> bytes{};
  for (int i = 0; i < size / 8; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<unsigned char>(address >> (size - 8 - 8 * i));
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(size == 32 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

std::string text_of(const Network& network) {
  return fmt::format("{}/{}", address_text(network.address, network.size), network.prefix);
}

Network parse_network(const std::string& text) {
  const auto fail = [&] { throw ValueError(fmt::format("'{}' is no network, such as 10.0.0.0/8", printable(text))); };
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) fail();
  Network network;
  network.size = text.find(':') == std::string::npos ? 32 : 128;
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(network.size == 32 ? AF_INET : AF_INET6, text.substr(0, slash).c_str(), bytes.data()) != 1) fail();
  const auto prefix = parse_unsigned(text.substr(slash + 1));
  if (!prefix || *prefix > static_cast<std::uint64_t>(network.size)) fail();
  network.prefix = static_cast<int>(*prefix);
  for (int i = 0; i < network.size / 8; ++i)
    network.address = (network.address << 8) | bytes[static_cast<std::size_t>(i)];
  network.address &= ~network.host_mask();
  return network;
}

constexpr std::int64_t kMaxNumber = std::int64_t{1} << 62;

Value cidrhost(const Values& arguments) {
  const Network network = parse_network(arguments[0].text());
  const std::int64_t number = whole_number(arguments[1], "the host", -kMaxNumber, kMaxNumber);
  const Bits most = network.host_mask();
  const auto magnitude = static_cast<Bits>(number < 0 ? -(number + 1) : number);
  if (magnitude > most) {
    throw ValueError(fmt::format("the network has no host {}", number));
  }
  const Bits host = number < 0 ? most - magnitude : magnitude;
  return Value::of(address_text(network.address | host, network.size));
}

Value cidrnetmask(const Values& arguments) {
  const Network network = parse_network(arguments[0].text());
  const Bits all = network.size == 128 ? ~Bits{0} : (Bits{1} << 32) - 1;
  return Value::of(address_text(all & ~network.host_mask(), network.size));
}

Network subnet(const Network& network, std::int64_t bits) {
  Network result = network;
  result.prefix += static_cast<int>(bits);
  if (result.prefix > result.size) throw ValueError(fmt::format("an address has {} bits only", result.size));
  return result;
}

Value cidrsubnet(const Values& arguments) {
  const Network network = parse_network(arguments[0].text());
  const std::int64_t bits = whole_number(arguments[1], "the new bits", 0, 32);
  const std::int64_t number = whole_number(arguments[2], "the subnet", 0, kMaxNumber);
  Network result = subnet(network, bits);
  if (number >= (std::int64_t{1} << bits)) throw ValueError(fmt::format("{} bits hold no subnet {}", bits, number));
  if (result.size > result.prefix) result.address |= static_cast<Bits>(number) << (result.size - result.prefix);
  if (result.size == result.prefix) result.address |= static_cast<Bits>(number);
  return Value::of(text_of(result));
}

Value cidrsubnets(const Values& arguments) {
  const Network network = parse_network(arguments[0].text());
  Values result;
  Bits next = network.address;
  bool is_full = false;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    Network part = subnet(network, whole_number(arguments[i], "the new bits", 1, 32));
    const Bits size = part.host_mask();
    // Each begins at the next address that its size divides.
    const Bits begin = (next + size) & ~size;
    if (is_full || begin < next || begin + size > (network.address | network.host_mask())) {
      throw ValueError(fmt::format("no room for a subnet of {} bits", part.prefix));
    }
    part.address = begin;
    is_full = begin + size == (network.address | network.host_mask());
    next = begin + size + 1;
    result.push_back(Value::of(text_of(part)));
  }
  return Value::list(Type::string(), std::move(result));
}

}  // namespace

FunctionTable network_functions() {
  const Parameter prefix{"prefix", Type::string()};
  const auto number = [](std::string_view name) { return Parameter{name, Type::number()}; };
  return {
      {"cidrhost", {{prefix, number("hostnum")}, {}, cidrhost}},
      {"cidrnetmask", {{prefix}, {}, cidrnetmask}},
      {"cidrsubnet", {{prefix, number("newbits"), number("netnum")}, {}, cidrsubnet}},
      {"cidrsubnets", {{prefix}, number("newbits"), cidrsubnets}},
  };
}

}  // namespace kiln::hcl
