#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/oci/digest.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

// Writes digests into the `image:` references of a compose file (compose specification, "services", "image"). The file
// is never printed anew: libyaml's events say at which bytes each such scalar stands, and those bytes alone are
// replaced, so that layout, comments, quotes, anchors and line ends stay. libyaml's marks count characters; they are
// turned into bytes here. Text must be UTF-8.

// One service's image, and what became of it.
struct PinnedService {
  enum class Outcome {
    pinned,    // the scalar gets a digest (`after` tells from `before` what changed; they are equal where it had it
               // already)
    unknown,   // no digest is known for this image: it stays as it is
    unpinned,  // it cannot be pinned where it stands: `reason` says why
  };
  std::string service;
  int line = 0;        // from 1; 0: not known
  std::string before;  // the scalar's value
  std::string after;   // of a pinned one: "repo[:tag]@digest"
  Outcome outcome = Outcome::unknown;
  std::string reason;
};

struct ComposePin {
  std::string text;  // the whole file, pinned
  std::vector<PinnedService> services;
};

// What an image is pinned to. A name is that of its only profile, which takes the place of the image's own.
struct ImagePin {
  ImagePin(oci::Digest its_digest, std::string its_name = {})
      : digest(std::move(its_digest)), name(std::move(its_name)) {}

  oci::Digest digest;
  std::string name;  // "repo[:tag]"; empty: as it is written
};

// Returns what an image is to be pinned to; nullopt: not known. Error{usage} where it cannot be told, which becomes the
// reason why the service is not pinned.
using DigestOf = std::function<std::optional<ImagePin>(const oci::Reference&)>;

// Says what becomes of the image `service.before`; its reason must be empty.
void decide_pin(PinnedService& service, const DigestOf& digest_of);

// Pins what can be pinned. The result was parsed again and has the same events but for the scalars that were pinned. A
// plain or quoted scalar on one line is pinned; a value with a variable, an alias, a block scalar, an anchored value,
// and an image that comes by a merge key or `extends` are named. Error{usage} "FILE:LINE: ..." for what is no YAML or
// has no services.
ComposePin pin_compose(const std::string& text, const std::string& file_name, const DigestOf& digest_of);

// True where two texts are the same, byte by byte, but for the digests in the images of services, and for the profile
// behind the name of one that has a digest in `pinned`.
bool differ_in_pins_alone(const std::string& original, const std::string& pinned, const std::string& file_name);

}  // namespace kiln
