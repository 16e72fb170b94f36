#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace kiln {

// "a/__pycache__/x.cpython-311.opt-1.pyc" -> "a/x.py"; "" for another name.
std::string source_of_bytecode(std::string_view path);

// The first bytes of a file of Python's bytecode (3.7 and later, PEP 552): what it is for, and how it is told that its
// source changed: by the source's time and size, or by a hash.
inline constexpr std::size_t kBytecodeHeaderBytes = 16;
// Where the time is in it: four bytes, the lowest first.
inline constexpr std::size_t kBytecodeTimeOffset = 8;

struct SourceStamp {
  UnixSeconds mtime = 0;
  std::uint64_t size = 0;
};

// The four bytes of time that keep bytecode as good as it was, once its source gets the time `to`: where it fitted its
// source it fits again, where it did not it still does not. nullopt where they may stay: bytecode that goes by a hash,
// what is none, or none of a Python that is known.
std::optional<std::array<char, 4>> bytecode_time_for(std::string_view header, const SourceStamp& source,
                                                     UnixSeconds to);

}  // namespace kiln
