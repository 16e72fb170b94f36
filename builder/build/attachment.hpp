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

  // `ends` are those of the deliveries' pushes: what failed or is to be pushed again is left alone, and what cannot be
  // attached makes the push a failed one. An image that was at its registry already and is known to have what is said
  // costs no request. Offline nothing is attached, which a warning tells.
  void attach(const std::vector<const Delivery*>& deliveries, std::vector<PushEnd>& ends);

 private:
  void attach_to(const Delivery& delivery, const PushEnd& end);

  Workshop& shop_;
};

}  // namespace kiln
