#include "base/http_date.hpp"

#include <time.h>

namespace kiln {

std::optional<UnixSeconds> parse_http_date(const std::string& text) {
  for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    tm fields{};
    const char* end = ::strptime(text.c_str(), form, &fields);
    if (end != nullptr && *end == '\0') return ::timegm(&fields);
  }
  return std::nullopt;
}

}  // namespace kiln
