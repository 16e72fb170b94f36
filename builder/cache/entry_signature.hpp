#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "builder/cache/cache_entry.hpp"

namespace kiln {

// Who may write to a shared cache: entries are signed with Ed25519 (RFC 8032), and where public keys are given, an
// entry that none of them signed never hits.
//
//   signature = "ed25519:" key-id ":" BASE64 of 64 bytes
//   key-id    = the first 16 hex digits of sha256 of the 32 bytes of the public key
//   signed    = "kiln cache entry 1\n" key LF media-type LF "sha256:" HEX of content LF
//
// The document names every blob by digest, so they are signed with it. Keys are PEM, as `openssl genpkey -algorithm
// ed25519` and `openssl pkey -pubout` write them. Immutable after loading; any thread.
class EntrySignatures {
 public:
  EntrySignatures();
  EntrySignatures(EntrySignatures&&) noexcept;
  EntrySignatures& operator=(EntrySignatures&&) noexcept;
  ~EntrySignatures();

  // Error{usage} for what is no such PEM key. `where` names its origin, never its content.
  void sign_with(std::string_view private_pem, std::string_view where);
  void trust(std::string_view public_pem, std::string_view where);

  bool can_sign() const noexcept;
  // Whether entries have to be signed.
  bool is_required() const noexcept;

  std::string sign(const CacheEntry& entry) const;
  // "" where the entry may be used, else why not: "it is not signed", "it is signed by ab12..., which is not trusted",
  // "its signature is wrong".
  std::string problem(const CacheEntry& entry) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace kiln
