#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/attest/attested_image.hpp"
#include "builder/attest/provenance.hpp"
#include "registry/store/image_provenance.hpp"

namespace kiln {

// 64 hex digits: the key of what a list of texts says.
std::string attestation_key(const std::vector<std::string>& parts);

// The key of a provenance, whatever the image is called.
std::string provenance_key(const ProvenanceFacts& facts, const ProvenanceWish& wish);

// A provenance of an image that is called by `names` (subject_name()): `key` is that of provenance_key(), `predicate`
// makes its JSON.
Attestation provenance_attestation(std::vector<std::string> names, const oci::Digest& image, const std::string& key,
                                   std::function<std::string()> predicate);

}  // namespace kiln
