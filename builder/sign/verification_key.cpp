#include "builder/sign/verification_key.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/sign/openssl_key.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostPemBytes = std::size_t{64} << 10;
constexpr std::size_t kEd25519KeyBytes = 32;
constexpr std::size_t kEd25519SignatureBytes = 64;

std::string public_der(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  if (size <= 0) throw Error(Category::machine, "OpenSSL cannot write a public key");
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

bool is_p256(EVP_PKEY* key) {
  char name[64] = {};
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, name, sizeof name, &size) == 1 &&
         std::string_view(name, size) == "prime256v1";
}

// OpenSSL has Ed25519ph from 3.2 on only.
bool verifies_prehashed(EVP_PKEY* key, std::string_view message, std::string_view signature) {
  unsigned char raw[kEd25519KeyBytes];
  std::size_t size = sizeof raw;
  if (signature.size() != kEd25519SignatureBytes || EVP_PKEY_get_raw_public_key(key, raw, &size) != 1) return false;
  crypto_sign_ed25519ph_state state;
  return sodium_init() >= 0 && crypto_sign_ed25519ph_init(&state) == 0 &&
         crypto_sign_ed25519ph_update(&state, byte_pointer(message), message.size()) == 0 &&
         crypto_sign_ed25519ph_final_verify(&state, byte_pointer(signature), raw) == 0;
}

}  // namespace

PemBlock first_pem_block(std::string_view pem) {
  PemBlock block;
  if (pem.size() > kMostPemBytes) return block;
  const MemoryBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  if (PEM_read_bio(bio.get(), &name, &header, &bytes, &size) != 1) return block;
  block.name = name;
  block.bytes.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
  return block;
}

std::shared_ptr<const VerificationKey::Key> checked_key(EvpKey key, std::string_view where) {
  VerificationKey::Key checked;
  checked.is_ed25519 = EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519;
  if (!checked.is_ed25519 && !is_p256(key.get())) {
    const char* kind = EVP_PKEY_get0_type_name(key.get());
    throw Error(Category::usage,
                fmt::format("{} is of a kind that kiln does not sign with ({}); expected ECDSA on P-256 or Ed25519",
                            where, kind == nullptr ? "unknown" : kind));
  }
  checked.der = public_der(key.get());
  checked.key = std::move(key);
  return std::make_shared<const VerificationKey::Key>(std::move(checked));
}

VerificationKey VerificationKey::parse(std::string_view pem, std::string_view where) {
  const PemBlock block = first_pem_block(pem);
  if (block.name.ends_with("PRIVATE KEY")) {
    throw Error(Category::usage, fmt::format("{} holds a private key, expected the public one; 'openssl pkey -in FILE "
                                             "-pubout' or 'cosign public-key --key FILE' prints it",
                                             where));
  }
  const unsigned char* bytes = byte_pointer(block.bytes);
  EvpKey key;
  if (block.name == "PUBLIC KEY") key.reset(d2i_PUBKEY(nullptr, &bytes, static_cast<long>(block.bytes.size())));
  if (!key) {
    throw Error(Category::usage,
                fmt::format("{} is no public key in PEM (-----BEGIN PUBLIC KEY-----){}", where,
                            block.name.empty() ? "" : fmt::format("; it holds '{}'", printable(block.name))));
  }
  return VerificationKey(checked_key(std::move(key), where));
}

bool VerificationKey::verifies(std::string_view message, std::string_view signature) const {
  const EvpContext context(EVP_MD_CTX_new());
  const EVP_MD* hash = key_->is_ed25519 ? nullptr : EVP_sha256();
  if (EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key_->key.get()) != 1)
    throw Error(Category::machine, fmt::format("OpenSSL cannot verify with an {} key", kind()));
  if (EVP_DigestVerify(context.get(), byte_pointer(signature), signature.size(), byte_pointer(message),
                       message.size()) == 1)
    return true;
  return key_->is_ed25519 && verifies_prehashed(key_->key.get(), message, signature);
}

std::string VerificationKey::fingerprint() const { return oci::sha256_of(key_->der).str(); }

std::string VerificationKey::hint() const {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, byte_pointer(key_->der), key_->der.size());
  return base64_encoded(std::string_view(reinterpret_cast<const char*>(hash), sizeof hash));
}

std::string VerificationKey::kind() const { return key_->is_ed25519 ? "Ed25519" : "ECDSA P-256"; }

}  // namespace kiln
