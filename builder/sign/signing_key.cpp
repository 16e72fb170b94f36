#include "builder/sign/signing_key.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/sign/encrypted_key.hpp"
#include "builder/sign/openssl_key.hpp"

namespace kiln {

namespace {

[[noreturn]] void refuse_key(const PemBlock& block, std::string_view where) {
  if (block.name == "ENCRYPTED PRIVATE KEY") {
    throw Error(Category::usage, fmt::format("{} is encrypted by OpenSSL, which kiln does not read; 'cosign "
                                             "import-key-pair' makes a key of cosign of one that is decrypted",
                                             where));
  }
  if (block.name == "PUBLIC KEY")
    throw Error(Category::usage, fmt::format("{} holds a public key, expected the private one", where));
  throw Error(Category::usage,
              fmt::format("{} is no private key in PEM{}; 'cosign generate-key-pair' or 'openssl genpkey -algorithm "
                          "EC -pkeyopt ec_paramgen_curve:P-256' makes one",
                          where, block.name.empty() ? "" : fmt::format(" but '{}'", printable(block.name))));
}

}  // namespace

SigningKey SigningKey::parse(std::string_view pem, std::string_view where, const AskPassword& ask_password) {
  PemBlock block = first_pem_block(pem);
  std::string der;
  if (block.name == "ENCRYPTED SIGSTORE PRIVATE KEY" || block.name == "ENCRYPTED COSIGN PRIVATE KEY") {
    std::string password = ask_password();
    try {
      der = decrypted_key(block.bytes, password, where);
    } catch (...) {
      OPENSSL_cleanse(password.data(), password.size());
      throw;
    }
    OPENSSL_cleanse(password.data(), password.size());
  } else if (block.name == "PRIVATE KEY" || block.name == "EC PRIVATE KEY") {
    der = std::move(block.bytes);
  } else {
    refuse_key(block, where);
  }
  const unsigned char* bytes = byte_pointer(der);
  EvpKey key(d2i_AutoPrivateKey(nullptr, &bytes, static_cast<long>(der.size())));
  OPENSSL_cleanse(der.data(), der.size());
  if (!key) throw Error(Category::usage, fmt::format("{} holds no private key that OpenSSL can read", where));
  return SigningKey(VerificationKey(checked_key(std::move(key), where)));
}

std::string SigningKey::sign(std::string_view message) const {
  const VerificationKey::Key& own = *public_key_.key_;
  const EvpContext context(EVP_MD_CTX_new());
  const EVP_MD* hash = own.is_ed25519 ? nullptr : EVP_sha256();
  std::size_t size = 0;
  std::string signature;
  bool is_signed = EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, own.key.get()) == 1 &&
                   EVP_DigestSign(context.get(), nullptr, &size, byte_pointer(message), message.size()) == 1;
  if (is_signed) {
    signature.resize(size);
    is_signed = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                               byte_pointer(message), message.size()) == 1;
    signature.resize(size);
  }
  if (!is_signed)
    throw Error(Category::machine, fmt::format("OpenSSL cannot sign with this {} key", public_key_.kind()));
  return signature;
}

}  // namespace kiln
