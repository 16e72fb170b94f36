#include "base/clock.hpp"

#include <time.h>

#include <fmt/format.h>

#include <cstdio>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

UnixSeconds now_unix_seconds() { return ::time(nullptr); }

double monotonic_seconds() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string format_rfc3339(UnixSeconds time) {
  tm parts;
  const time_t value = time;
  ::gmtime_r(&value, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

UnixSeconds parse_rfc3339(std::string_view text) {
  const std::string copy(text);
  int year, month, day, hour, minute, second, length = 0;
  const auto bad = [&] { return Error(Category::usage, fmt::format("'{}' is no RFC 3339 time", printable(text))); };
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
                  &length) != 6 ||
      length == 0) {
    throw bad();
  }
  std::size_t at = static_cast<std::size_t>(length);
  if (at < copy.size() && copy[at] == '.') at = std::min(copy.find_first_not_of("0123456789", at + 1), copy.size());
  const std::string zone = copy.substr(at);
  int offset_seconds = 0;
  if (zone != "Z" && zone != "z") {
    int hours, minutes;
    char sign;
    if (std::sscanf(zone.c_str(), "%c%2d:%2d", &sign, &hours, &minutes) != 3 || (sign != '+' && sign != '-')) throw bad();
    offset_seconds = (hours * 60 + minutes) * 60 * (sign == '+' ? 1 : -1);
  }
  tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  parts.tm_sec = second;
  return ::timegm(&parts) - offset_seconds;
}

}  // namespace kiln
