#include "builder/definitions/refused_attributes.hpp"

#include <array>

namespace kiln {

std::optional<std::string_view> reason_against(std::string_view attribute) {
  struct Row {
    std::string_view name, reason;
  };
  static constexpr std::array<Row, 4> kRows = {{
      {"attest", "it writes no attestations yet; leave it out, or say disabled=true"},
      {"entitlements", "RUN steps are never given devices; only network.host and security.insecure can be had"},
      {"policy", "it knows no source policies; pin the images by digest"},
      {"resources", "RUN steps are not limited; limit the kiln process"},
  }};
  for (const Row& row : kRows) {
    if (row.name == attribute) return row.reason;
  }
  return std::nullopt;
}

}  // namespace kiln
