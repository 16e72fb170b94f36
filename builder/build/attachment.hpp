#pragma once

#include <optional>
#include <vector>

#include "builder/build/delivery.hpp"
#include "builder/build/workshop.hpp"

namespace kiln {

// Attaches to images what is said of them (OCI distribution spec 1.1, referrers), once they are at their registries.
class Attachment {
 public:
  explicit Attachment(Workshop& shop) : shop_(shop) {}

  // `ends` are those of the deliveries' pushes: what failed or is to be pushed again is left alone, and what was asked
  // for and cannot be attached makes the push a failed one; of what comes by default a warning tells. An image that was
  // at its registry already and is known to have what is said costs no request. Offline nothing is attached: the
  // provenance is kept in the store for the push that is remembered, and a warning tells of an SBOM.
  void attach(const std::vector<const Delivery*>& deliveries, std::vector<PushEnd>& ends);

 private:
  void attach_to_place(const RemoteRepository& place, const AttestedImage& image, bool is_new);
  void attach_to(const Delivery& delivery, const PushEnd& end);

  Workshop& shop_;
};

}  // namespace kiln
