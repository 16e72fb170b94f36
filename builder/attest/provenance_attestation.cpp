#include "builder/attest/provenance_attestation.hpp"

#include "base/text.hpp"

namespace kiln {

namespace {

// Raised where the same way of making an image comes to be told in another way.
constexpr const char* kProvenanceVersion = "provenance 1";

}  // namespace

std::string attestation_key(const std::vector<std::string>& parts) {
  return std::string(oci::sha256_of(join(parts, "\n")).hex());
}

std::string provenance_key(const ProvenanceFacts& facts, const ProvenanceWish& wish) {
  return attestation_key({kProvenanceVersion, std::string(to_string(wish.mode)), lasting_provenance(facts, wish)});
}

Attestation provenance_attestation(std::vector<std::string> names, const oci::Digest& image, const std::string& key,
                                   std::function<std::string()> predicate) {
  std::string own_key = attestation_key({key, image.str(), join(names, " ")});
  return {kProvenancePredicate, std::move(own_key),
          [names = std::move(names), image, predicate = std::move(predicate)] {
            return make_statement(names, image, kProvenancePredicate, predicate());
          }};
}

}  // namespace kiln
