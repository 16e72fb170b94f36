#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/sign/signing_key.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

inline constexpr char kSimpleSigningType[] = "application/vnd.dev.cosign.simplesigning.v1+json";
inline constexpr char kSignatureAnnotation[] = "dev.cosignproject.cosign/signature";
inline constexpr char kBundleType[] = "application/vnd.dev.sigstore.bundle.v0.3+json";
inline constexpr char kBundleContentAnnotation[] = "dev.sigstore.bundle.content";
inline constexpr char kBundlePredicateAnnotation[] = "dev.sigstore.bundle.predicateType";
inline constexpr char kSignPredicateType[] = "https://sigstore.dev/cosign/sign/v1";

// What stands in both of cosign's forms of a signature: this image, by its digest. Functions without state; none of the
// texts that are read is trusted before its signature is verified, and what they say is compared and not acted on.

// Simple signing (containers-signature(5), "JSON data format", with cosign's type):
//   {"critical":{"identity":{"docker-reference":NAME},"image":{"docker-manifest-digest":DIGEST},
//    "type":"cosign container image signature"},"optional":null}
// `name` is registry/repository. Its signature is beside it, in base64 (kSignatureAnnotation).
std::string simple_signing_payload(const std::string& name, const oci::Digest& image);
// "" where the payload is one of this image and the signature, in base64, is the key's; else why not.
std::string simple_signing_problem(std::string_view payload, std::string_view signature_base64,
                                   const oci::Digest& image, const VerificationKey& key);

// A Sigstore bundle v0.3 (protobuf-specs, sigstore_bundle.proto, as protobuf's JSON) with a DSSE envelope (dsse,
// protocol.md) around an in-toto Statement v1 whose subject is the image and whose predicate type is
// kSignPredicateType. It has one signature, the key's hint, and no entry of a transparency log.
std::string sigstore_bundle(const oci::Digest& image, const SigningKey& key);
// "" where the bundle is a signature of this image by the key; else why not.
std::string sigstore_bundle_problem(std::string_view bundle, const oci::Digest& image, const VerificationKey& key);

}  // namespace kiln
