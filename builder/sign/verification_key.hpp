#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace kiln {

// A public key that signatures of images are verified with: ECDSA on P-256 with SHA-256 (FIPS 186-5), signatures in
// DER, or Ed25519 (RFC 8032). A value, cheap to copy; any thread.
class VerificationKey {
 public:
  // A PEM text with "PUBLIC KEY" (SubjectPublicKeyInfo, RFC 5280), as `openssl pkey -pubout` and `cosign
  // generate-key-pair` write it. Error{usage} for anything else; `where` names its origin, never its content.
  static VerificationKey parse(std::string_view pem, std::string_view where);

  // Whether the signature of the message is this key's. Of an Ed25519 key the signature of RFC 8032's prehash variant
  // Ed25519ph counts too, which cosign makes with such keys.
  bool verifies(std::string_view message, std::string_view signature) const;
  // sha256 of the key (SubjectPublicKeyInfo in DER), as "sha256:HEX": what people compare.
  std::string fingerprint() const;
  // The same in base64: how a Sigstore bundle tells which key it wants.
  std::string hint() const;
  // "ECDSA P-256" or "Ed25519".
  std::string kind() const;

  struct Key;  // openssl_key.hpp

 private:
  friend class SigningKey;
  explicit VerificationKey(std::shared_ptr<const Key> key) : key_(std::move(key)) {}
  std::shared_ptr<const Key> key_;
};

}  // namespace kiln
