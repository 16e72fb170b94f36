#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "builder/dockerfile/expansion.hpp"

namespace kiln::dockerfile {

enum class MountType { bind, cache, tmpfs, secret, ssh };
enum class CacheSharing { shared, private_, locked };

// One --mount of a RUN, its options checked against its type.
struct Mount {
  MountType type = MountType::bind;
  std::string from;    // bind, cache: a stage or an image; empty: the build context (bind) or an empty folder (cache)
  std::string source;  // bind, cache: the path inside `from`
  std::string target;  // may be relative to WORKDIR; empty where a secret goes to the environment only
  bool read_only = true;  // bind: true unless rw; cache: false unless ro
  std::string id;         // cache (default: the target), secret, ssh
  CacheSharing sharing = CacheSharing::shared;
  std::optional<std::string> environment;  // secret: the variable that gets the value
  bool required = false;                   // secret, ssh
  std::uint64_t size_bytes = 0;            // tmpfs; 0: no limit
  std::optional<unsigned> mode;            // cache (0755), secret (0400), ssh (0600) where not given
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

const char* to_string(MountType type);

// Parses an option string (`type=cache,target=/c,"id=a,b"`: one CSV record). Each value is expanded by
// `lookup`, as docker does. Error{usage} names the option, what it may be, and the nearest real one.
Mount parse_mount(std::string_view options, const VariableLookup& lookup, char escape = '\\');

// What can be said before the values of variables are known: the parser refuses what is wrong in any case.
void check_mount(std::string_view options);

}  // namespace kiln::dockerfile
