#include "registry/oci/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/text.hpp"

namespace kiln::oci {

namespace {

constexpr std::string_view kSha256 = "sha256:";
constexpr std::string_view kSha512 = "sha512:";

bool is_lower_hex(std::string_view text) {
  // All characters are looked at, without a branch for each: most texts are right, and there are very many of them.
  unsigned wrong = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_digit = static_cast<unsigned char>(byte - '0') < 10;
    const bool is_letter = static_cast<unsigned char>(byte - 'a') < 6;
    wrong |= static_cast<unsigned>(!(is_digit | is_letter));
  }
  return wrong == 0;
}

}  // namespace

bool Digest::is_valid(std::string_view text) noexcept {
  if (text.starts_with(kSha256)) return text.size() == kSha256.size() + 64 && is_lower_hex(text.substr(7));
  if (text.starts_with(kSha512)) return text.size() == kSha512.size() + 128 && is_lower_hex(text.substr(7));
  return false;
}

Digest Digest::parse(std::string_view text, std::string_view what, Category category) {
  if (!is_valid(text)) {
    throw Error(category, fmt::format("{} '{}' is not of the form sha256:<64 hex digits>", what, printable(text)));
  }
  return Digest(std::string(text));
}

Digest Digest::from_sha256_hex(std::string_view hex) {
  std::string text;
  text.reserve(kSha256.size() + hex.size());
  text.append(kSha256).append(hex);
  if (!is_valid(text)) return parse(text);
  return Digest(std::move(text));
}

std::string_view Digest::algorithm() const noexcept { return std::string_view(text_).substr(0, text_.find(':')); }

std::string_view Digest::hex() const noexcept {
  return text_.empty() ? std::string_view() : std::string_view(text_).substr(text_.find(':') + 1);
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
  void start() {
    if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
      throw Error(Category::machine, "OpenSSL offers no SHA-256");
    }
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->start(); }
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

Digest Sha256::finish() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->context, raw, &size);
  state_->start();
  return Digest::from_sha256_hex(kiln::hex(std::string_view(reinterpret_cast<const char*>(raw), size)));
}

Digest sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Digest digest_like(const Digest& like, std::string_view bytes) {
  if (like.algorithm() != "sha512") return sha256_of(bytes);
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), raw, &size, EVP_sha512(), nullptr) != 1)
    throw Error(Category::machine, "OpenSSL offers no SHA-512");
  return Digest::parse(
      fmt::format("{}{}", kSha512, kiln::hex(std::string_view(reinterpret_cast<const char*>(raw), size))));
}

}  // namespace kiln::oci
