#include "registry/remote/address.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("addresses are classified by how private they are") {
  const auto is = [](AddressClass expected, std::initializer_list<const char*> addresses) {
    for (const char* address : addresses) {
      CAPTURE(address);
      CHECK(classify_address(address) == expected);
    }
  };
  is(AddressClass::public_network, {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"});
  is(AddressClass::private_network,
     {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "[fc00::1]", "224.0.0.1",
      "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"});
  is(AddressClass::loopback, {"127.0.0.1", "127.255.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "[::1]"});
  is(AddressClass::link_local,
     {"169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1", "not an address", ""});
}

TEST_CASE("names are no numeric addresses") {
  CHECK(is_numeric_address("10.0.0.1"));
  CHECK(is_numeric_address("[::1]"));
  CHECK_FALSE(is_numeric_address("registry.example"));
  CHECK_FALSE(is_numeric_address("localhost"));
}
