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
// source changed: by the source's time and size, or by a hash of it.
inline constexpr std::size_t kBytecodeHeaderBytes = 16;
// Where it is told: four bytes of flags, and eight of time and size or of the hash, the lowest first.
inline constexpr std::size_t kBytecodeStampOffset = 4;
using BytecodeStamp = std::array<char, 12>;

enum class BytecodeCheck {
  none,  // no bytecode, of no Python that is known, or not checked at all
  time,
  hash,
};
BytecodeCheck bytecode_check(std::string_view header);

struct SourceStamp {
  UnixSeconds mtime = 0;
  std::uint64_t size = 0;
};

// Whether bytecode that goes by time was made of a source with this time and size.
bool bytecode_fits(std::string_view header, const SourceStamp& source);
// Whether bytecode that goes by a hash was made of this text. The hash is SipHash-1-3, before Python 3.11 SipHash-2-4.
bool bytecode_fits(std::string_view header, std::string_view source);

// The stamp of bytecode that goes by the time of this source.
BytecodeStamp stamp_by_time(const SourceStamp& source);

}  // namespace kiln
