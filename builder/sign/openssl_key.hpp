#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "builder/sign/verification_key.hpp"

// For the sources of this room alone: OpenSSL's objects with their ends.
namespace kiln {

struct FreeEvpKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeEvpContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeMemoryBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using EvpKey = std::unique_ptr<EVP_PKEY, FreeEvpKey>;
using EvpContext = std::unique_ptr<EVP_MD_CTX, FreeEvpContext>;
using MemoryBio = std::unique_ptr<BIO, FreeMemoryBio>;

struct VerificationKey::Key {
  EvpKey key;
  std::string der;  // of the public part, SubjectPublicKeyInfo
  bool is_ed25519 = false;
};

// The name of a PEM text's first block ("PUBLIC KEY") and its bytes; an empty name where there is none. A text of more
// than 64 KiB has none.
struct PemBlock {
  std::string name;
  std::string bytes;
};
PemBlock first_pem_block(std::string_view pem);

// The key as this room has it. Error{usage} "WHERE is ..." for a kind of key that it does not sign and verify with.
std::shared_ptr<const VerificationKey::Key> checked_key(EvpKey key, std::string_view where);

inline const unsigned char* byte_pointer(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace kiln
