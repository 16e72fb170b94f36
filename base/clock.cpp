#include "base/clock.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

// Takes an RFC 3339 text apart, section 5.6. After what does not fit it takes nothing more.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  int number(std::size_t digits, int least, int most) {
    const std::string_view word = rest_.substr(0, digits);
    const auto value = parse_unsigned(word);
    if (!need(word.size() == digits && value)) return least;
    const int result = static_cast<int>(*value);
    need(result >= least && result <= most);
    rest_.remove_prefix(digits);
    return result;
  }
  char one_of(std::string_view characters) {
    if (!need(!rest_.empty() && characters.find(rest_[0]) != std::string_view::npos)) return 0;
    const char found = rest_[0];
    rest_.remove_prefix(1);
    return found;
  }
  void skip_fraction() {
    if (!rest_.starts_with('.')) return;
    const std::size_t end = std::min(rest_.find_first_not_of("0123456789", 1), rest_.size());
    if (need(end > 1)) rest_.remove_prefix(end);
  }
  bool is_at_good_end() const { return is_good_ && rest_.empty(); }
  bool is_good() const { return is_good_; }

 private:
  bool need(bool fits) {
    is_good_ = is_good_ && fits;
    return is_good_;
  }
  std::string_view rest_;
  bool is_good_ = true;
};

int days_of(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[month] + (month == 1 && is_leap ? 1 : 0);
}

}  // namespace

UnixSeconds now_unix_seconds() { return ::time(nullptr); }

double monotonic_seconds() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string format_rfc3339(UnixSeconds time) {
  if (time < kFirstRfc3339Second || time > kLastRfc3339Second) {
    throw Error(Category::usage, fmt::format("the time {} is not within the years 0 to 9999", time));
  }
  tm parts;
  const time_t value = time;
  ::gmtime_r(&value, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::optional<UnixSeconds> parse_rfc3339_if_valid(std::string_view text) {
  Reader reader(text);
  tm parts{};
  parts.tm_year = reader.number(4, 0, 9999) - 1900;
  reader.one_of("-");
  parts.tm_mon = reader.number(2, 1, 12) - 1;
  reader.one_of("-");
  if (!reader.is_good()) return std::nullopt;
  parts.tm_mday = reader.number(2, 1, days_of(parts.tm_year + 1900, parts.tm_mon));
  reader.one_of("Tt ");
  parts.tm_hour = reader.number(2, 0, 23);
  reader.one_of(":");
  parts.tm_min = reader.number(2, 0, 59);
  reader.one_of(":");
  parts.tm_sec = reader.number(2, 0, 60);  // 60 in a leap second
  reader.skip_fraction();
  int offset_seconds = 0;
  const char zone = reader.one_of("Zz+-");
  if (zone == '+' || zone == '-') {
    offset_seconds = reader.number(2, 0, 23) * 3600;
    reader.one_of(":");
    offset_seconds += reader.number(2, 0, 59) * 60;
  }
  if (!reader.is_at_good_end()) return std::nullopt;
  return ::timegm(&parts) - (zone == '-' ? -offset_seconds : offset_seconds);
}

UnixSeconds parse_rfc3339(std::string_view text) {
  if (const auto time = parse_rfc3339_if_valid(text)) return *time;
  throw Error(Category::usage, fmt::format("'{}' is no RFC 3339 time", printable(text)));
}

}  // namespace kiln
