#include "builder/dockerfile/duration.hpp"

#include <utility>

namespace kiln::dockerfile {
namespace {

constexpr std::pair<std::string_view, double> kUnits[] = {
    {"ns", 1}, {"us", 1e3}, {"\u00B5s", 1e3}, {"\u03BCs", 1e3}, {"ms", 1e6}, {"h", 36e11}, {"m", 6e10}, {"s", 1e9},
};

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  double sign = 1;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    if (text[0] == '-') sign = -1;
    text.remove_prefix(1);
  }
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    double scale = 1;
    bool digits = false;
    bool fraction = false;
    while (!text.empty() && ((text[0] >= '0' && text[0] <= '9') || (text[0] == '.' && !fraction))) {
      if (text[0] == '.') {
        fraction = true;
      } else {
        digits = true;
        number = number * 10 + (text[0] - '0');
        if (fraction) scale *= 10;
      }
      text.remove_prefix(1);
    }
    if (!digits) return std::nullopt;
    bool known = false;
    for (const auto& [unit, ns] : kUnits) {
      if (text.substr(0, unit.size()) != unit) continue;
      sum += number / scale * ns;
      text.remove_prefix(unit.size());
      known = true;
      break;
    }
    if (!known || !(sum < 9.2e18)) return std::nullopt;
  }
  return static_cast<std::int64_t>(sign * sum + (sign > 0 ? 0.5 : -0.5));
}

}  // namespace kiln::dockerfile
