#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/attest/statement.hpp"

namespace kiln {

// Something to say of one image, made where it is needed: an image that did not change mostly has it already.
struct Attestation {
  std::string predicate_type;
  std::string key;  // 64 hex digits: of all that decides what is said, but for commits, versions and times
  std::function<Statement()> make;
  bool is_asked_for = true;  // false: it comes by default, and fails nothing where it cannot be attached
};

// An image at a registry and what is to be attached to it.
struct AttestedImage {
  oci::Descriptor manifest;
  std::vector<Attestation> attestations;
};

}  // namespace kiln
