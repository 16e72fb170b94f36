#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::hcl {

// A number of HCL: a decimal of up to 155 significant digits, which is what 512 bits of mantissa hold. Whole numbers
// and written decimals are exact; a quotient is rounded. Always normalised, so equal numbers have equal members.
//
// Rejected: double, whose whole numbers end at 2^53 and whose 0.1 + 0.2 is not 0.3.
class Number {
 public:
  Number() = default;
  explicit Number(std::int64_t value);

  // "12", "-1.5", "1e3"; nullopt for anything else and for exponents beyond 10,000.
  static std::optional<Number> parse(std::string_view text);
  // Whole digits of a base up to 62, as Go's big.Int reads them; nullopt for other characters.
  static std::optional<Number> parse_digits(std::string_view digits, int base);
  // nullopt for infinity and for what is no number.
  static std::optional<Number> from_double(double value);

  // Without an exponent: "1500", "0.001".
  std::string text() const;
  // With exactly so many digits behind the point, half to even.
  std::string fixed_text(int digits) const;
  double to_double() const;
  // nullopt where it is not whole or does not fit.
  std::optional<std::int64_t> to_int64() const;

  bool is_zero() const noexcept { return digits_.empty(); }
  bool is_negative() const noexcept { return negative_; }
  bool is_whole() const noexcept { return exponent_ >= 0; }
  // The remaining digits of a whole number in another base (2 to 16), without a sign.
  std::string text_in_base(int base) const;

  Number negated() const;
  // Without what stands behind the point.
  Number truncated() const;
  Number floor() const;
  Number ceil() const;

  friend Number operator+(const Number& a, const Number& b);
  friend Number operator-(const Number& a, const Number& b) { return a + b.negated(); }
  friend Number operator*(const Number& a, const Number& b);
  // Both need a divisor that is not zero. The remainder has the dividend's sign.
  friend Number operator/(const Number& a, const Number& b);
  friend Number operator%(const Number& a, const Number& b);
  friend bool operator==(const Number& a, const Number& b) = default;
  friend bool operator<(const Number& a, const Number& b);

 private:
  using Digits = std::vector<std::uint32_t>;  // nine decimal digits each, the lowest first, none on top that is zero
  Number(bool negative, Digits digits, std::int64_t exponent, std::size_t max_digits);
  void normalise(std::size_t max_digits);

  bool negative_ = false;
  Digits digits_;
  std::int64_t exponent_ = 0;  // of ten
};

}  // namespace kiln::hcl
