#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// One --mount as the Dockerfile has it. No value of it is expanded yet.
struct WrittenMount {
  struct Option {
    std::string key;                   // the canonical spelling: "target" for dst
    std::optional<std::string> value;  // nullopt: a bare word, such as ro
  };
  std::string text;  // as written
  std::vector<Option> options;
  std::optional<Mount> plain;  // all of it, where no variable stands in a value

  // An option's value as written, the last of several; empty where it is not given.
  std::string written(std::string_view key) const;
  // The stage or image; never a variable.
  std::string from() const { return written("from"); }
};

// Parses an option string (`type=cache,target=/c,"id=a,b"`: one CSV record). Error{usage} names the option, what it may
// be, and the nearest real one. Where a value holds a variable, what depends on it is refused by expand_mount().
WrittenMount read_mount(std::string_view options);

// The mount with each value expanded, as docker does.
Mount expand_mount(const WrittenMount& mount, const std::function<std::string(std::string_view)>& expand);

// What of a mount's options changes nothing, a clause each: "'id' changes nothing of the type 'bind'". Nothing is said
// of one that holds variables.
std::vector<std::string> unused_options(const WrittenMount& mount);

// Whether it shows files of a context, a stage or an image: a bind mount, and a cache that begins as a copy.
bool takes_files(const Mount& mount);

}  // namespace kiln::dockerfile
