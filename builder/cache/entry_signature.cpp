#include "builder/cache/entry_signature.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::string_view kPrefix = "ed25519:";

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using Bio = std::unique_ptr<BIO, FreeBio>;

// A key file that asks for a password is refused instead of asking on the terminal.
int no_password(char*, int, int, void*) { return -1; }

std::string id_of(EVP_PKEY* key) {
  unsigned char raw[kKeyBytes];
  std::size_t size = sizeof raw;
  if (EVP_PKEY_get_raw_public_key(key, raw, &size) != 1)
    throw Error(Category::machine, "OpenSSL cannot read an Ed25519 key");
  return std::string(oci::sha256_of(std::string_view(reinterpret_cast<const char*>(raw), size)).hex().substr(0, 16));
}

Key checked(EVP_PKEY* raw, std::string_view what, std::string_view where) {
  Key key(raw);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    throw Error(Category::usage,
                fmt::format("{} is no Ed25519 {} key in PEM; make one with 'openssl genpkey -algorithm ed25519'{}",
                            where, what, what == "public" ? " and 'openssl pkey -pubout'" : ""));
  }
  return key;
}

std::string signed_text(const CacheEntry& entry) {
  return fmt::format("kiln cache entry 1\n{}\n{}\n{}\n", entry.key, entry.media_type,
                     oci::sha256_of(entry.content).str());
}

const unsigned char* bytes_of(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

struct EntrySignatures::Keys {
  Key private_key;
  std::string private_id;
  std::map<std::string, Key> trusted;
};

EntrySignatures::EntrySignatures() : keys_(std::make_unique<Keys>()) {}
EntrySignatures::EntrySignatures(EntrySignatures&&) noexcept = default;
EntrySignatures& EntrySignatures::operator=(EntrySignatures&&) noexcept = default;
EntrySignatures::~EntrySignatures() = default;

void EntrySignatures::sign_with(std::string_view private_pem, std::string_view where) {
  const Bio bio(BIO_new_mem_buf(private_pem.data(), static_cast<int>(private_pem.size())));
  keys_->private_key = checked(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr), "private", where);
  keys_->private_id = id_of(keys_->private_key.get());
}

void EntrySignatures::trust(std::string_view public_pem, std::string_view where) {
  const Bio bio(BIO_new_mem_buf(public_pem.data(), static_cast<int>(public_pem.size())));
  Key key = checked(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr), "public", where);
  const std::string id = id_of(key.get());
  keys_->trusted[id] = std::move(key);
}

bool EntrySignatures::can_sign() const noexcept { return keys_->private_key != nullptr; }
bool EntrySignatures::is_required() const noexcept { return !keys_->trusted.empty(); }

std::string EntrySignatures::sign(const CacheEntry& entry) const {
  const std::string text = signed_text(entry);
  const Context context(EVP_MD_CTX_new());
  std::string raw(kSignatureBytes, '\0');
  std::size_t size = raw.size();
  if (!can_sign() || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, keys_->private_key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(raw.data()), &size, bytes_of(text), text.size()) !=
          1) {
    throw Error(Category::machine, "OpenSSL cannot sign with this Ed25519 key");
  }
  return fmt::format("{}{}:{}", kPrefix, keys_->private_id, base64_encoded(raw));
}

std::string EntrySignatures::problem(const CacheEntry& entry) const {
  if (!is_required()) return "";
  if (entry.signature.empty()) return "it is not signed";
  const auto fields = split(entry.signature, ':');
  const auto raw = fields.size() == 3 ? base64_decoded(fields[2]) : std::nullopt;
  if (!entry.signature.starts_with(kPrefix) || !raw || raw->size() != kSignatureBytes)
    return "its signature is damaged";
  const auto key = keys_->trusted.find(std::string(fields[1]));
  if (key == keys_->trusted.end())
    return fmt::format("it is signed by key {}, which is not trusted", printable(fields[1]));
  const std::string text = signed_text(entry);
  const Context context(EVP_MD_CTX_new());
  const bool is_right = EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key->second.get()) == 1 &&
                        EVP_DigestVerify(context.get(), bytes_of(*raw), raw->size(), bytes_of(text), text.size()) == 1;
  return is_right ? "" : "its signature is wrong";
}

}  // namespace kiln
