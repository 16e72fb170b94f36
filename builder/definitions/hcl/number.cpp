#include "builder/definitions/hcl/number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace kiln::hcl {

namespace {

using Digits = std::vector<std::uint32_t>;
constexpr std::uint32_t kBase = 1'000'000'000;
constexpr std::size_t kMaxDigits = 155;
// A quotient keeps some more, so that multiplied by its divisor it is the dividend again.
constexpr std::size_t kGuardDigits = 10;
constexpr std::int64_t kMaxExponent = 10'000;

void trim_top(Digits& digits) {
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
}

int compare(const Digits& a, const Digits& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

Digits sum(const Digits& a, const Digits& b) {
  Digits result;
  std::uint32_t carry = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()) || carry != 0; ++i) {
    const std::uint32_t value = carry + (i < a.size() ? a[i] : 0) + (i < b.size() ? b[i] : 0);
    result.push_back(value % kBase);
    carry = value / kBase;
  }
  return result;
}

// a - b, where a is not less than b.
Digits difference(const Digits& a, const Digits& b) {
  Digits result = a;
  std::int64_t borrow = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    std::int64_t value = std::int64_t{result[i]} - borrow - (i < b.size() ? b[i] : 0);
    borrow = value < 0 ? 1 : 0;
    if (borrow != 0) value += kBase;
    result[i] = static_cast<std::uint32_t>(value);
  }
  trim_top(result);
  return result;
}

Digits product(const Digits& a, const Digits& b) {
  Digits result(a.size() + b.size(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t k = 0; k < b.size() || carry != 0; ++k) {
      const std::uint64_t value = result[i + k] + carry + (k < b.size() ? std::uint64_t{a[i]} * b[k] : 0);
      result[i + k] = static_cast<std::uint32_t>(value % kBase);
      carry = value / kBase;
    }
  }
  trim_top(result);
  return result;
}

// Divides in place and returns the remainder.
std::uint32_t divide_small(Digits& digits, std::uint32_t divisor) {
  std::uint64_t rest = 0;
  for (std::size_t i = digits.size(); i-- > 0;) {
    const std::uint64_t value = rest * kBase + digits[i];
    digits[i] = static_cast<std::uint32_t>(value / divisor);
    rest = value % divisor;
  }
  trim_top(digits);
  return static_cast<std::uint32_t>(rest);
}

void multiply_add(Digits& digits, std::uint32_t factor, std::uint32_t addend) {
  std::uint64_t carry = addend;
  for (auto& digit : digits) {
    const std::uint64_t value = std::uint64_t{digit} * factor + carry;
    digit = static_cast<std::uint32_t>(value % kBase);
    carry = value / kBase;
  }
  if (carry != 0) digits.push_back(static_cast<std::uint32_t>(carry));
}

Digits scaled(Digits digits, std::int64_t tens) {
  if (digits.empty()) return digits;
  for (; tens >= 9; tens -= 9) digits.insert(digits.begin(), 0);
  for (; tens > 0; --tens) multiply_add(digits, 10, 0);
  return digits;
}

// The whole quotient; the remainder is left in `rest`. One digit of the quotient at a time, found by halving: the
// numbers have some twenty places, so nothing faster is worth its lines.
Digits quotient(const Digits& a, const Digits& b, Digits& rest) {
  if (b.size() == 1) {
    Digits result = a;
    rest = {divide_small(result, b[0])};
    trim_top(rest);
    return result;
  }
  Digits result(a.size(), 0);
  rest.clear();
  for (std::size_t i = a.size(); i-- > 0;) {
    rest.insert(rest.begin(), a[i]);
    trim_top(rest);
    std::uint32_t low = 0, high = kBase - 1;
    while (low < high) {
      const std::uint32_t middle = low + (high - low + 1) / 2;
      if (compare(product(b, {middle}), rest) <= 0) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    result[i] = low;
    if (low != 0) rest = difference(rest, product(b, {low}));
  }
  trim_top(result);
  return result;
}

std::string decimal(const Digits& digits) {
  if (digits.empty()) return "0";
  std::string result = fmt::format("{}", digits.back());
  for (std::size_t i = digits.size() - 1; i-- > 0;) result += fmt::format("{:09}", digits[i]);
  return result;
}

// Takes `count` decimal digits away from the low end, half to even.
Digits without_low(Digits digits, std::size_t count) {
  std::uint32_t last = 0;
  bool has_rest = false;
  for (std::size_t i = 0; i < count && !digits.empty(); ++i) {
    has_rest = has_rest || last != 0;
    last = divide_small(digits, 10);
    if (digits.empty() && i + 1 < count) {
      has_rest = has_rest || last != 0;
      last = 0;
    }
  }
  const bool is_odd = !digits.empty() && digits[0] % 2 == 1;
  if (last > 5 || (last == 5 && (has_rest || is_odd))) digits = sum(digits, {1});
  return digits;
}

}  // namespace

Number::Number(bool negative, Digits digits, std::int64_t exponent, std::size_t max_digits)
    : negative_(negative), digits_(std::move(digits)), exponent_(exponent) {
  normalise(max_digits);
}

Number::Number(std::int64_t value) : negative_(value < 0) {
  auto rest = static_cast<std::uint64_t>(value);
  if (negative_) rest = 0 - rest;
  for (; rest != 0; rest /= kBase) digits_.push_back(static_cast<std::uint32_t>(rest % kBase));
  normalise(kMaxDigits);
}

void Number::normalise(std::size_t max_digits) {
  trim_top(digits_);
  if (digits_.empty()) {
    negative_ = false;
    exponent_ = 0;
    return;
  }
  if (digits_.size() > max_digits / 9) {
    if (const std::size_t count = decimal(digits_).size(); count > max_digits) {
      digits_ = without_low(std::move(digits_), count - max_digits);
      exponent_ += static_cast<std::int64_t>(count - max_digits);
    }
  }
  while (digits_[0] == 0) {
    digits_.erase(digits_.begin());
    exponent_ += 9;
  }
  while (digits_[0] % 10 == 0) {
    divide_small(digits_, 10);
    ++exponent_;
  }
  if (exponent_ > kMaxExponent || exponent_ < -kMaxExponent) {
    throw Error(Category::usage, "a number is too large or too small");
  }
}

std::optional<Number> Number::parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  Digits digits;
  std::int64_t exponent = 0;
  bool has_digit = false, is_behind_point = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      has_digit = true;
      multiply_add(digits, 10, static_cast<std::uint32_t>(c - '0'));
      if (is_behind_point) --exponent;
      if (digits.size() > 4 * kMaxDigits / 9) return std::nullopt;
    } else if (c == '.' && !is_behind_point) {
      is_behind_point = true;
    } else {
      break;
    }
  }
  if (!has_digit) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    ++at;
    const bool is_small = at < text.size() && text[at] == '-';
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (at == text.size() || text.size() - at > 5) return std::nullopt;
    std::int64_t tens = 0;
    for (; at < text.size(); ++at) {
      if (text[at] < '0' || text[at] > '9') return std::nullopt;
      tens = tens * 10 + (text[at] - '0');
    }
    if (tens > kMaxExponent - 1000) return std::nullopt;
    exponent += is_small ? -tens : tens;
  }
  return Number(negative, std::move(digits), exponent, kMaxDigits);
}

std::optional<Number> Number::parse_digits(std::string_view text, int base) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.size() > 2000) return std::nullopt;
  Digits digits;
  for (const char c : text) {
    int value = 99;
    if (c >= '0' && c <= '9') value = c - '0';
    if (c >= 'a' && c <= 'z') value = c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') value = c - 'A' + (base <= 36 ? 10 : 36);
    if (value >= base) return std::nullopt;
    multiply_add(digits, static_cast<std::uint32_t>(base), static_cast<std::uint32_t>(value));
  }
  return Number(negative, std::move(digits), 0, kMaxDigits);
}

std::optional<Number> Number::from_double(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  return parse(fmt::format("{}", value));
}

std::string Number::text() const {
  const Number shown(false, digits_, exponent_, kMaxDigits);
  std::string result = decimal(shown.digits_);
  if (shown.exponent_ > 0) result.append(static_cast<std::size_t>(shown.exponent_), '0');
  if (shown.exponent_ < 0) {
    const auto behind = static_cast<std::size_t>(-shown.exponent_);
    if (result.size() <= behind) result.insert(0, behind + 1 - result.size(), '0');
    result.insert(result.size() - behind, 1, '.');
  }
  return negative_ ? "-" + result : result;
}

std::string Number::fixed_text(int places) const {
  Number rounded = *this;
  if (exponent_ < -places) {
    rounded.digits_ = without_low(digits_, static_cast<std::size_t>(-places - exponent_));
    rounded.exponent_ = -places;
  }
  std::string result = decimal(rounded.digits_);
  if (rounded.digits_.empty()) rounded.exponent_ = -places;
  result.append(static_cast<std::size_t>(rounded.exponent_ + places), '0');
  const auto behind = static_cast<std::size_t>(places);
  if (result.size() <= behind) result.insert(0, behind + 1 - result.size(), '0');
  if (behind > 0) result.insert(result.size() - behind, 1, '.');
  return negative_ ? "-" + result : result;
}

double Number::to_double() const { return std::strtod(text().c_str(), nullptr); }

std::optional<std::int64_t> Number::to_int64() const {
  if (!is_whole() || exponent_ > 19) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : decimal(scaled(digits_, exponent_))) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (std::numeric_limits<std::int64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  const auto result = static_cast<std::int64_t>(value);
  return negative_ ? -result : result;
}

std::string Number::text_in_base(int base) const {
  Digits rest = scaled(digits_, exponent_);
  std::string result;
  do {
    result += "0123456789abcdef"[divide_small(rest, static_cast<std::uint32_t>(base))];
  } while (!rest.empty());
  std::reverse(result.begin(), result.end());
  return result;
}

Number Number::negated() const { return Number(!negative_, digits_, exponent_, kMaxDigits + kGuardDigits); }

Number Number::truncated() const {
  if (is_whole()) return *this;
  Digits digits = digits_;
  for (std::int64_t i = exponent_; i < 0 && !digits.empty(); ++i) divide_small(digits, 10);
  return Number(negative_, std::move(digits), 0, kMaxDigits);
}

Number Number::floor() const {
  const Number whole = truncated();
  return is_whole() || !negative_ ? whole : whole - Number(1);
}

Number Number::ceil() const {
  const Number whole = truncated();
  return is_whole() || negative_ ? whole : whole + Number(1);
}

Number operator+(const Number& a, const Number& b) {
  if (a.is_zero()) return b;
  if (b.is_zero()) return a;
  // Of numbers this far apart the smaller one adds no digit that is kept.
  constexpr std::int64_t kFar = 500;
  if (a.exponent_ - b.exponent_ > kFar) return a;
  if (b.exponent_ - a.exponent_ > kFar) return b;
  const std::int64_t exponent = std::min(a.exponent_, b.exponent_);
  const Digits left = scaled(a.digits_, a.exponent_ - exponent), right = scaled(b.digits_, b.exponent_ - exponent);
  if (a.negative_ == b.negative_) return Number(a.negative_, sum(left, right), exponent, kMaxDigits);
  if (compare(left, right) >= 0) return Number(a.negative_, difference(left, right), exponent, kMaxDigits);
  return Number(b.negative_, difference(right, left), exponent, kMaxDigits);
}

Number operator*(const Number& a, const Number& b) {
  return Number(a.negative_ != b.negative_, product(a.digits_, b.digits_), a.exponent_ + b.exponent_, kMaxDigits);
}

Number operator/(const Number& a, const Number& b) {
  const auto shift = static_cast<std::int64_t>(kMaxDigits + kGuardDigits + 9 * b.digits_.size());
  Digits rest;
  Digits result = quotient(scaled(a.digits_, shift), b.digits_, rest);
  return Number(a.negative_ != b.negative_, std::move(result), a.exponent_ - b.exponent_ - shift,
                kMaxDigits + kGuardDigits);
}

Number operator%(const Number& a, const Number& b) {
  const std::int64_t exponent = std::min(a.exponent_, b.exponent_);
  if (std::max(a.exponent_, b.exponent_) - exponent > 2000) {
    throw Error(Category::usage, "a remainder of numbers that are too far apart");
  }
  Digits rest;
  quotient(scaled(a.digits_, a.exponent_ - exponent), scaled(b.digits_, b.exponent_ - exponent), rest);
  return Number(a.negative_, std::move(rest), exponent, kMaxDigits);
}

bool operator<(const Number& a, const Number& b) {
  const Number rest = a - b;
  return rest.negative_;
}

}  // namespace kiln::hcl
