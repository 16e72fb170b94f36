#pragma once

#include <string>
#include <vector>

#include "registry/store/content_store.hpp"

namespace kiln {

// Where a push or a pull of this home saw a blob, whichever process it was: from there the registry can mount it into
// another repository. A file for each blob beside the image layout, a line "HOST[:PORT]/REPOSITORY\n" for each place,
// the newest first. What it says was true once: the registry may have lost the blob since. It may be asked and written
// from any thread and by any process; of two that write at once one is lost.

// What is kept of a blob: more would not be tried before it is sent.
constexpr std::size_t kMostSeenPlaces = 8;
constexpr std::size_t kMostSeenPlacesOfRegistry = 4;

// The repositories of one registry, "HOST[:PORT]".
std::vector<std::string> seen_repositories(const ContentStore& store, const oci::Digest& blob,
                                           const std::string& registry);

enum class Seen {
  there,  // noted while fewer than kMostSeenPlacesOfRegistry are known
  sent,   // nothing else that is known led to it: noted in place of the oldest
};
// A home that may not be written keeps what it knows.
void note_seen_place(const ContentStore& store, const oci::Digest& blob, const std::string& registry,
                     const std::string& repository, Seen seen);

}  // namespace kiln
