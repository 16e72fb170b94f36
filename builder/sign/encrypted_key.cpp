#include "builder/sign/encrypted_key.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"
#include "builder/sign/openssl_key.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kLeastScryptN = std::uint64_t{1} << 15;
constexpr std::uint64_t kMostScryptN = std::uint64_t{1} << 17;
constexpr std::uint64_t kScryptR = 8;
constexpr std::uint64_t kScryptP = 1;
constexpr std::uint64_t kMostScryptMemory = std::uint64_t{160} << 20;
constexpr std::size_t kMostSaltBytes = 1024;

std::string base64_member(const JsonMembers& members, const char* key) {
  auto bytes = base64_decoded(members.string(key));
  if (!bytes) members.refuse(key, "expected base64");
  return *std::move(bytes);
}

void expect_name(const JsonMembers& members, std::string_view expected) {
  if (const std::string name = members.string("name"); name != expected)
    members.refuse("name", fmt::format("expected '{}', got '{}'", expected, printable(name)));
}

std::uint64_t scrypt_n(const JsonMembers& params) {
  const std::uint64_t n = params.unsigned_integer("N");
  const bool is_power = n != 0 && (n & (n - 1)) == 0;
  if (!is_power || n < kLeastScryptN || n > kMostScryptN || params.unsigned_integer("r") != kScryptR ||
      params.unsigned_integer("p") != kScryptP) {
    params.refuse(fmt::format("expected N of {}, {} or {} with r = {} and p = {}, as cosign has them", kLeastScryptN,
                              kLeastScryptN * 2, kMostScryptN, kScryptR, kScryptP));
  }
  return n;
}

// Bytes that are overwritten when they are no longer needed.
struct SecretBytes {
  explicit SecretBytes(std::size_t size) : bytes(size, '\0') {}
  ~SecretBytes() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  unsigned char* data() { return reinterpret_cast<unsigned char*>(bytes.data()); }
  std::string bytes;
};

}  // namespace

std::string decrypted_key(std::string_view document, std::string_view password, std::string_view where) {
  const nlohmann::json json = parse_json(document, where, Category::usage);
  const auto refusal = JsonMembers::refusal(where, Category::usage);
  const JsonMembers members(json, refusal);
  const JsonMembers kdf = members.object("kdf");
  const JsonMembers cipher = members.object("cipher");
  expect_name(kdf, "scrypt");
  expect_name(cipher, "nacl/secretbox");
  const std::uint64_t n = scrypt_n(kdf.object("params"));
  const std::string salt = base64_member(kdf, "salt");
  if (salt.size() > kMostSaltBytes) kdf.refuse("salt", fmt::format("expected at most {} bytes", kMostSaltBytes));
  const std::string nonce = base64_member(cipher, "nonce");
  if (nonce.size() != crypto_secretbox_NONCEBYTES)
    cipher.refuse("nonce", fmt::format("expected {} bytes", crypto_secretbox_NONCEBYTES));
  const std::string sealed = base64_member(members, "ciphertext");
  if (sealed.size() < crypto_secretbox_MACBYTES) members.refuse("ciphertext", "it is too short");

  if (sodium_init() < 0) throw Error(Category::machine, "libsodium cannot be used on this machine");
  SecretBytes key(crypto_secretbox_KEYBYTES);
  if (EVP_PBE_scrypt(password.data(), password.size(), byte_pointer(salt), salt.size(), n, kScryptR, kScryptP,
                     kMostScryptMemory, key.data(), key.bytes.size()) != 1)
    throw Error(Category::machine, fmt::format("OpenSSL cannot derive the key of {} by scrypt", where));
  SecretBytes opened(sealed.size() - crypto_secretbox_MACBYTES);
  if (crypto_secretbox_open_easy(opened.data(), byte_pointer(sealed), sealed.size(), byte_pointer(nonce), key.data()) !=
      0)
    throw Error(Category::usage, fmt::format("the password does not open {}, or the file is damaged", where));
  return opened.bytes;
}

}  // namespace kiln
