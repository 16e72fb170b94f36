#include "builder/definitions/refused_attributes.hpp"

#include <array>

namespace kiln {

std::optional<std::string_view> reason_against(std::string_view attribute) {
  struct Row {
    std::string_view name, reason;
  };
  static constexpr std::array<Row, 9> kRows = {{
      {"annotations", "it writes none into manifests yet; use labels"},
      {"attest", "it writes no attestations yet; leave it out, or say disabled=true"},
      {"call", "a bake always builds; use 'kiln check' for lint"},
      {"entitlements", "RUN steps are never given more than docker's default capabilities"},
      {"extra-hosts", "RUN steps see the hosts of their network; put the name into the machine's /etc/hosts"},
      {"policy", "it knows no source policies; pin the images by digest"},
      {"resources", "RUN steps are not limited; limit the kiln process"},
      {"shm-size", "the size of /dev/shm in RUN steps is fixed"},
      {"ulimits", "RUN steps have the limits of the kiln process; set them there with 'ulimit'"},
  }};
  for (const Row& row : kRows) {
    if (row.name == attribute) return row.reason;
  }
  return std::nullopt;
}

}  // namespace kiln
