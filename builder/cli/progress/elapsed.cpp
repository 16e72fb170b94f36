#include "builder/cli/progress/elapsed.hpp"

#include <fmt/format.h>

namespace kiln {

std::string elapsed_text(double seconds) {
  const int digits = seconds < 9.9995 ? 3 : seconds < 99.995 ? 2 : seconds < 999.95 ? 1 : 0;
  return fmt::format("{:.{}f}", seconds, digits);
}

}  // namespace kiln
