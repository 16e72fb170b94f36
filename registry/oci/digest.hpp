#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kiln::oci {

// A content digest, "sha256:" and 64 lower-case hex digits (OCI image spec, descriptor.md, "Digests"). sha512 is
// accepted in what others wrote so that it can be named in messages; kiln itself computes sha256 only.
//
// Invariant: empty (no digest) or well-formed.
class Digest {
 public:
  Digest() = default;
  // Error{category} that names `what` where the text is not a digest.
  static Digest parse(std::string_view text, std::string_view what = "digest", Category category = Category::usage);
  static bool is_valid(std::string_view text) noexcept;
  // Error{usage} where the text is not 64 lower-case hex digits.
  static Digest from_sha256_hex(std::string_view hex);

  bool empty() const noexcept { return text_.empty(); }
  const std::string& str() const noexcept { return text_; }
  std::string_view algorithm() const noexcept;
  std::string_view hex() const noexcept;
  // The first twelve hex digits, for people.
  std::string short_hex() const { return std::string(hex().substr(0, 12)); }

  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// SHA-256 of a stream, by OpenSSL. Move-only; not for several threads at once.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::string_view bytes);
  // The digest of all that was given; the object starts anew.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256_of(std::string_view bytes);
// The digest of `bytes` by the algorithm of `like`: what to compare a digest with that somebody else named.
Digest digest_like(const Digest& like, std::string_view bytes);

}  // namespace kiln::oci

template <>
struct std::hash<kiln::oci::Digest> {
  std::size_t operator()(const kiln::oci::Digest& digest) const noexcept {
    return std::hash<std::string>{}(digest.str());
  }
};
