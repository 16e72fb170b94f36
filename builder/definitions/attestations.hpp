#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// What is said of an image beside it; docs/attestations.md.

enum class ProvenanceMode {
  min,  // nothing that the caller passed in but names: no build arguments, no secrets, no steps
  max,
};
std::string_view to_string(ProvenanceMode mode);

struct ProvenanceWish {
  ProvenanceMode mode = ProvenanceMode::max;
  std::string builder_id;  // empty: kiln's own
  bool is_reproducible = false;

  bool operator==(const ProvenanceWish&) const = default;
};

struct AttestationWishes {
  bool sbom = false;
  bool is_sbom_of_files = false;  // with the digest of every file
  std::optional<ProvenanceWish> provenance;
  bool is_provenance_said = false;  // by a word, be it that there is to be none: no default goes over it

  bool any() const { return sbom || provenance; }
  bool operator==(const AttestationWishes&) const = default;
};

// Where attestations hang: each as an artifact that refers to the image (OCI distribution spec, "Listing Referrers"),
// or, as buildx has it, in an index that takes the image's place under its names.
enum class AttachedAs { referrers, index };
// "referrers" or "index". Error{usage} naming `what` for anything else.
AttachedAs parse_attached_as(std::string_view text, std::string_view what);

// buildx's words, "type=provenance,mode=max", of which the last of a type counts. Error{usage} naming `what` and the
// word for a type or an option that there is not, and for one that is refused, with the reason.
AttestationWishes parse_attestations(const std::vector<std::string>& words, std::string_view what);

// Flags that are short for such a word, "true", "false" or options: "mode=max" of provenance is
// "type=provenance,mode=max". Empty for an empty value.
std::string attestation_word(std::string_view type, const std::string& value);

// `own`, and of `inherited` the words of types that `own` says nothing of.
std::vector<std::string> with_inherited_attestations(const std::vector<std::string>& own,
                                                     const std::vector<std::string>& inherited);

}  // namespace kiln
