#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "builder/sign/verification_key.hpp"

namespace kiln {

// Returns the password of a key. Called only for a key that has one; throws where it cannot be had.
using AskPassword = std::function<std::string()>;

// A private key that images are signed with: ECDSA on P-256 or Ed25519. A value, cheap to copy; any thread. Neither the
// key nor a password is ever in a message.
class SigningKey {
 public:
  // A PEM text: "PRIVATE KEY" (PKCS #8), "EC PRIVATE KEY", or a key of cosign, "ENCRYPTED SIGSTORE PRIVATE KEY" and
  // before 2.0 "ENCRYPTED COSIGN PRIVATE KEY" (encrypted_key.hpp). Error{usage} for anything else and for a wrong
  // password; `where` names its origin, never its content.
  static SigningKey parse(std::string_view pem, std::string_view where, const AskPassword& ask_password);

  // Of ECDSA in DER, with SHA-256; of Ed25519 the 64 bytes of the plain variant, which cosign and others verify.
  std::string sign(std::string_view message) const;
  const VerificationKey& public_key() const noexcept { return public_key_; }

 private:
  explicit SigningKey(VerificationKey key) : public_key_(std::move(key)) {}
  VerificationKey public_key_;  // its key has the private part too
};

}  // namespace kiln
