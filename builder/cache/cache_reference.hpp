#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace kiln {

enum class CacheType { local, http, registry };

enum class CacheMode {
  min,   // records and file indexes of all steps, and the layers of the images that were asked for
  max,   // the layers of all steps too
  read,  // cache-to: nothing is ever written
};

// One --cache-from or --cache-to, in buildx's words:
//   type=local,src=FOLDER | type=local,dest=FOLDER | type=http,url=URL | type=registry,ref=REF, or a bare REF
// with mode=min|max|read, ignore-error=true|false and timeout=SECONDS.
struct CacheReference {
  CacheType type = CacheType::registry;
  std::string place;  // the folder (absolute), URL, or reference
  CacheMode mode = CacheMode::min;
  bool ignore_error = true;              // false: what could not be written fails the build
  int timeout_seconds = 10;              // of one operation while less than a kilobyte moves
  std::vector<std::string> unused = {};  // options that change nothing, to be told: `mode` of a --cache-from

  bool operator==(const CacheReference&) const = default;
};

enum class CacheDirection { from, to };

// Error{usage} naming the option and the nearest real one. "type=gha", "inline", "s3", "azblob" are refused with what
// to use instead. `direction` decides whether a folder is src or dest (the other word is taken as well where it alone
// is given). A relative folder is below `base`; empty: the working directory.
CacheReference parse_cache_reference(std::string_view text, CacheDirection direction, const fs::path& base = {});

}  // namespace kiln
