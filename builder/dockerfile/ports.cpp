#include "builder/dockerfile/ports.hpp"

#include <fmt/format.h>

#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::dockerfile {
namespace {

struct PortRange {
  unsigned first = 0;
  unsigned last = 0;
};

[[noreturn]] void refuse(std::string_view word, std::string_view reason) {
  throw Error(Category::usage, fmt::format("invalid port '{}' in EXPOSE: {}", printable(word), reason));
}

std::optional<PortRange> parse_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_unsigned(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_unsigned(text.substr(dash + 1));
  if (!first || !last || *first > 65535 || *last > 65535 || *first > *last) return std::nullopt;
  return PortRange{static_cast<unsigned>(*first), static_cast<unsigned>(*last)};
}

// "[addr]:host:container", "addr:host:container", "host:container", "container". An address may hold colons
// itself.
struct Parts {
  std::string_view address;
  std::string_view host;
  std::string_view container;
};

Parts split_parts(std::string_view text) {
  const auto container_at = text.rfind(':');
  if (container_at == std::string_view::npos) return {{}, {}, text};
  const std::string_view container = text.substr(container_at + 1);
  const std::string_view rest = text.substr(0, container_at);
  const auto host_at = rest.rfind(':');
  if (host_at == std::string_view::npos) return {{}, rest, container};
  return {rest.substr(0, host_at), rest.substr(host_at + 1), container};
}

bool is_address(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.empty()) return true;
  if (text.find(':') != std::string_view::npos) {
    return text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  const auto parts = split(text, '.');
  if (parts.size() != 4) return false;
  for (std::string_view part : parts) {
    const auto value = parse_unsigned(part);
    if (!value || *value > 255 || part.size() > 3) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> exposed_ports(std::string_view word) {
  std::string_view ports = word;
  std::string protocol = "tcp";
  if (const auto slash = word.find('/'); slash != std::string_view::npos) {
    ports = word.substr(0, slash);
    protocol = to_lower(word.substr(slash + 1));
    if (protocol.empty()) protocol = "tcp";
  }
  const Parts parts = split_parts(ports);
  if (parts.container.empty()) refuse(word, "no port given; write 'EXPOSE 8080' or 'EXPOSE 8080/udp'");
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    refuse(word,
           fmt::format("unknown protocol '{}'{}", printable(protocol), suggestion(protocol, {"tcp", "udp", "sctp"})));
  }
  const auto container = parse_range(parts.container);
  if (!container) refuse(word, "expected a number up to 65535 or a range FIRST-LAST");
  if (!parts.host.empty()) {
    const auto host = parse_range(parts.host);
    if (!host) refuse(word, fmt::format("the host port '{}' is no number or range", printable(parts.host)));
    const bool same_length = host->last - host->first == container->last - container->first;
    if (!same_length && container->first != container->last) {
      refuse(word, "the ranges of host and container differ in length");
    }
  }
  if (!is_address(parts.address)) {
    refuse(word, fmt::format("'{}' is no IP address", printable(parts.address)));
  }
  std::vector<std::string> out;
  for (unsigned port = container->first; port <= container->last; ++port) {
    out.push_back(fmt::format("{}/{}", port, protocol));
  }
  return out;
}

}  // namespace kiln::dockerfile
