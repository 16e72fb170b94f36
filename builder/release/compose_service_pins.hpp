#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/compose/model.hpp"
#include "builder/release/compose_pin.hpp"

namespace kiln {

// The digests of a compose project's images as a compose file that goes over the project's own ones, as that of
// `docker compose config --lock-image-digests` does. It pins by service, so that variables, anchors, merge keys,
// `extends` and `include` have done their work before, and the project's files stay as they are.
struct ServicePins {
  std::string text;                     // the file; its first line says who wrote it
  std::vector<PinnedService> services;  // in the project's order; those without an image are left out
  std::set<std::string> unset;          // variables that counted as empty
};

// `origin` is where the digests are from, in one line for the file's first one. Error{usage} for files that Compose
// would refuse.
ServicePins pin_services(std::vector<compose::ComposeFile> files, const compose::ComposeOptions& options,
                         const DigestOf& digest_of, std::string_view origin);

// True for a text that pin_services() made: it may be replaced and removed.
bool is_service_pins(std::string_view text);

}  // namespace kiln
