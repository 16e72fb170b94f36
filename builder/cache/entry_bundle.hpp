#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/cache/cache_entry.hpp"

namespace kiln {

// Many entries in one, so that one look-up answers a whole unchanged image. Each keeps its key and signature and is
// verified by itself; a bundle is a shortcut and decides nothing: an entry that it lacks is looked up alone.
//
// Its key names a target (bundle_key), not contents: the entry is replaced by each build that added something. It keeps
// what the last builds used, newest first, up to kMaxBundleEntries and kMaxBundleBytes, so that branches which build in
// turns spare one another nothing.
//
// JSON, version 1: {"version": 1, "entries": [TEXT of serialise(entry), ...]}
inline constexpr std::size_t kMaxBundleEntries = 256;
inline constexpr std::size_t kMaxBundleBytes = std::size_t{1} << 20;

// `parts`: the target's name, Dockerfile's name, platform and repositories.
std::string bundle_key(const std::vector<std::string>& parts);

// The content of a bundle: as many of the entries, in their order, as fit.
std::string serialise_bundle(const std::vector<CacheEntry>& entries);
// Entries of a bundle that are whole; those that are not are left out. Error{network} for what is no bundle.
std::vector<CacheEntry> parse_bundle(std::string_view content, std::string_view where);

}  // namespace kiln
