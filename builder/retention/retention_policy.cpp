#include "builder/retention/retention_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <set>

#include "base/text.hpp"

namespace kiln {

namespace {

using std::chrono::days;
using std::chrono::sys_days;

sys_days day_of(UnixSeconds time) {
  return std::chrono::floor<days>(std::chrono::sys_seconds(std::chrono::seconds(time)));
}

std::string day_name(sys_days day) {
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

std::string month_name(sys_days day) { return day_name(day).substr(0, 7); }

// ISO 8601: a week belongs to the year that its Thursday is in.
std::string week_name(sys_days day) {
  const unsigned weekday = std::chrono::weekday(day).iso_encoding();
  const sys_days thursday = day + days(4 - static_cast<int>(weekday));
  const std::chrono::year year = std::chrono::year_month_day(thursday).year();
  const sys_days first = std::chrono::year_month_day(year, std::chrono::January, std::chrono::day(1));
  return fmt::format("{:04}-W{:02}", static_cast<int>(year), (thursday - first).count() / 7 + 1);
}

}  // namespace

std::vector<std::string> kept_by_age(const Retention& retention, const std::vector<std::optional<UnixSeconds>>& dates) {
  std::vector<std::string> reasons(dates.size());
  std::vector<std::size_t> newest_first;
  for (std::size_t i = 0; i < dates.size(); ++i) {
    if (dates[i]) newest_first.push_back(i);
    if (!dates[i]) reasons[i] = "no date";
  }
  std::stable_sort(newest_first.begin(), newest_first.end(),
                   [&](std::size_t a, std::size_t b) { return *dates[a] > *dates[b]; });

  const auto add = [&](std::size_t image, const std::string& reason) {
    reasons[image] += (reasons[image].empty() ? "" : ", ") + reason;
  };
  const auto last = std::min(newest_first.size(), static_cast<std::size_t>(std::max(0, retention.last)));
  for (std::size_t i = 0; i < last; ++i) add(newest_first[i], fmt::format("last {}", retention.last));

  const auto keep_newest_of_each = [&](std::string_view rule, int count,
                                       const std::function<std::string(sys_days)>& period_of) {
    std::set<std::string> periods;
    for (const std::size_t image : newest_first) {
      const std::string period = period_of(day_of(*dates[image]));
      if (periods.contains(period)) continue;
      if (periods.size() >= static_cast<std::size_t>(std::max(0, count))) return;
      periods.insert(period);
      add(image, fmt::format("{} {}", rule, period));
    }
  };
  keep_newest_of_each("daily", retention.daily, day_name);
  keep_newest_of_each("weekly", retention.weekly, week_name);
  keep_newest_of_each("monthly", retention.monthly, month_name);
  return reasons;
}

std::optional<UnixSeconds> date_in_tag(std::string_view tag) {
  std::optional<UnixSeconds> found;
  for (std::size_t begin = 0; begin <= tag.size();) {
    const std::size_t end = std::min(tag.find_first_of("-_.", begin), tag.size());
    const std::string_view word = tag.substr(begin, end - begin);
    begin = end + 1;
    const auto number = word.size() == 8 ? parse_unsigned(word) : std::nullopt;
    if (!number) continue;
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*number / 10000)),
                                           std::chrono::month(*number / 100 % 100), std::chrono::day(*number % 100));
    if (!date.ok() || *number < 20000101 || *number >= 21000101) continue;
    if (found) return std::nullopt;
    found = std::chrono::duration_cast<std::chrono::seconds>(sys_days(date).time_since_epoch()).count();
  }
  return found;
}

}  // namespace kiln
