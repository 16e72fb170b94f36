#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "builder/report/contents.hpp"

namespace kiln {

// Why something weighs less than it did.
enum class Cause {
  base,         // less of a system below
  build_tools,  // compilers, headers, static libraries, version control, tests left out
  caches,       // caches and temporary files not left behind
  duplicates,   // bytes not held twice
  packages,     // other packages, or the same packages in other files; negative where they grew
  sharing,      // packages that several images bring, held once
  compression,  // the same bytes in fewer
};
// "base", "build_tools" ...
std::string_view to_string(Cause cause);
// For people: "build tools".
std::string_view shown_cause(Cause cause);

struct CauseShare {
  Cause cause = Cause::base;
  std::uint64_t unpacked_before = 0;  // 0 for compression
  std::uint64_t unpacked_after = 0;
  std::int64_t saved_bytes = 0;  // compressed ones; negative where it costs some

  std::int64_t saved_unpacked() const {
    return static_cast<std::int64_t>(unpacked_before) - static_cast<std::int64_t>(unpacked_after);
  }
  bool operator==(const CauseShare&) const = default;
};

struct Weight {
  ContentBytes contents;
  std::uint64_t compressed_bytes = 0;
};

// Splits a difference of compressed bytes, exactly: the shares add up to before.compressed_bytes -
// after.compressed_bytes. What the contents save counts at the compression of before; what better compression saves
// counts on the bytes that are left. Sharing stands apart from packages where `with_sharing` says so: it is a matter of
// several images. Every cause once, in the order of the enumeration; nothing where before weighs nothing.
enum class WithSharing { no, yes };
std::vector<CauseShare> causes_of(const Weight& before, const Weight& after, WithSharing with_sharing);

}  // namespace kiln
