#pragma once

#include <string_view>

namespace kiln {

// How private a network address is, from the open internet inwards. A registry may lead its client (by realm,
// redirect or Location) to addresses of its own class or further out, never further in.
enum class AddressClass {
  public_network,
  private_network,  // RFC 1918, RFC 6598, unique local IPv6, anything else that is not routed
  loopback,         // 127.0.0.0/8, ::1, and the unspecified address
  link_local,       // 169.254.0.0/16, fe80::/10: where clouds keep their metadata services
};

std::string_view to_string(AddressClass address_class);

// The class of a numeric IPv4 or IPv6 address (brackets and zone allowed; IPv4 mapped into IPv6 counts as the
// IPv4 address). Anything that is no address counts as link_local, which nothing leads to.
AddressClass classify_address(std::string_view address);

// Whether a host is written as a numeric address.
bool is_numeric_address(std::string_view host);

}  // namespace kiln
