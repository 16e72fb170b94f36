#include "base/append_number.hpp"

#include <array>
#include <charconv>

namespace kiln {

namespace {

constexpr std::size_t kMostDigits = 65;  // of 64 bits in base 2, and a sign

}  // namespace

void append_number(std::string& text, std::uint64_t value, int base) {
  std::array<char, kMostDigits> digits;
  text.append(digits.data(), std::to_chars(digits.begin(), digits.end(), value, base).ptr);
}

void append_signed(std::string& text, std::int64_t value) {
  std::array<char, kMostDigits> digits;
  text.append(digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr);
}

}  // namespace kiln
