#include "builder/definitions/byte_size.hpp"

#include <array>
#include <cmath>
#include <string>

#include "base/text.hpp"

namespace kiln {

std::optional<std::uint64_t> parse_byte_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  static constexpr std::array<Unit, 10> kUnits = {{{"B", 1},
                                                   {"kB", 1e3},
                                                   {"KB", 1e3},
                                                   {"MB", 1e6},
                                                   {"GB", 1e9},
                                                   {"TB", 1e12},
                                                   {"KiB", 1024.0},
                                                   {"MiB", 1048576.0},
                                                   {"GiB", 1073741824.0},
                                                   {"TiB", 1099511627776.0}}};
  const std::size_t unit_at = text.find_first_not_of("0123456789.");
  if (unit_at == std::string_view::npos || unit_at == 0) return std::nullopt;
  const std::string_view number = text.substr(0, unit_at);
  const std::size_t dot = number.find('.');
  const auto whole = parse_unsigned(number.substr(0, dot));
  if (!whole) return std::nullopt;
  double value = static_cast<double>(*whole);
  if (dot != std::string_view::npos) {
    const std::string_view fraction = number.substr(dot + 1);
    const auto digits = parse_unsigned(fraction);
    if (!digits || fraction.size() > 15) return std::nullopt;
    value += static_cast<double>(*digits) / std::pow(10.0, static_cast<double>(fraction.size()));
  }
  for (const Unit& unit : kUnits) {
    if (trim(text.substr(unit_at)) != unit.name) continue;
    const double bytes = std::round(value * unit.bytes);
    if (bytes >= 9.0e18) return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
  }
  return std::nullopt;
}

}  // namespace kiln
