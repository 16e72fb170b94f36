#pragma once

#include <string>
#include <vector>

#include "registry/oci/descriptor.hpp"

namespace kiln {

inline constexpr char kSpdxPredicate[] = "https://spdx.dev/Document";
inline constexpr char kProvenancePredicate[] = "https://slsa.dev/provenance/v1";

// One thing that is said of an image: an in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md).
struct Statement {
  std::string predicate_type;
  std::string text;  // JSON on one line
};

// `names`: what the image is called, a subject for each with the manifest's digest; none: "_", as BuildKit has it.
// `predicate`: a JSON text.
Statement make_statement(const std::vector<std::string>& names, const oci::Digest& manifest,
                         const std::string& predicate_type, const std::string& predicate);

// The package URL of an image's repository, as a subject is called: "pkg:docker/ghcr.io/acme/app?platform=...". Without
// a tag: tags move, and the same image is to be told of by the same bytes.
std::string subject_name(const std::string& repository, const oci::Platform& platform);

}  // namespace kiln
