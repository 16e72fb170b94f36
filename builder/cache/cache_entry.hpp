#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"

namespace kiln {

// Media types of what a shared cache holds. A name is also the artifact type in a registry.
inline constexpr char kStepEntryType[] = "application/vnd.kiln.step.v2";  // a step record (step_record.hpp)
inline constexpr char kBundleEntryType[] =
    "application/vnd.kiln.bundle.v1+json";  // many entries at once (entry_bundle.hpp)
inline constexpr char kLayerEntryType[] =
    "application/vnd.kiln.layer.v1+json";  // a layer and its file index (layer_entry.hpp)
inline constexpr char kClaimEntryType[] = "application/vnd.kiln.claim.v1+json";  // who executes a step (step_claim.hpp)
inline constexpr char kMountEntryType[] = "application/vnd.kiln.mount.v1+json";  // the chunks of a cache mount

// What a shared cache holds under one key: a small JSON document and the blobs it speaks of.
//
// Invariant: key is 64 hex digits. A document names its blobs by digest, so that a reader that trusts the document can
// verify them.
struct CacheEntry {
  std::string key;
  std::string media_type;
  std::string content;                 // at most kMaxEntryBytes
  std::vector<oci::Descriptor> blobs;  // those that this cache was given; the document may speak of more
  std::string signature;               // see entry_signature.hpp; "" for none
};

inline constexpr std::size_t kMaxEntryBytes = std::size_t{8} << 20;

// An entry as one file (a local folder's and, inside of an action result, an http cache's), version 1:
//
//   file  = "kiln cache entry 1\n" key LF media-type LF "sha256:" HEX of content LF signature LF blobs content
//   blobs = "blobs " count LF ( digest SP size SP media-type LF )*
//
// parse_entry() takes it from anybody: Error{network} naming `where` for what is truncated, changed, or for another
// key.
std::string serialise(const CacheEntry& entry);
CacheEntry parse_entry(std::string_view text, std::string_view key, std::string_view where);

}  // namespace kiln
