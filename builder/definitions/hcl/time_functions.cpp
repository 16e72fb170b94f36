#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>

#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;
namespace chrono = std::chrono;

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

// A time and the offset that it is told in.
struct Timestamp {
  std::int64_t seconds = 0;  // of Unix
  int offset_minutes = 0;
};

struct Fields {
  int year, month, day, hour, minute, second, weekday, year_day;
};

Fields fields_of(const Timestamp& time) {
  const chrono::sys_seconds local(chrono::seconds(time.seconds + time.offset_minutes * 60));
  const auto day = chrono::floor<chrono::days>(local);
  const chrono::year_month_day date(day);
  const auto rest = static_cast<int>((local - day).count());
  const chrono::sys_days first(date.year() / chrono::January / 1);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          rest / 3600,
          rest / 60 % 60,
          rest % 60,
          static_cast<int>(chrono::weekday(day).c_encoding()),
          static_cast<int>((day - first).count()) + 1};
}

std::string offset_text(int minutes, std::string_view separator) {
  const int magnitude = std::abs(minutes);
  return fmt::format("{}{:02}{}{:02}", minutes < 0 ? '-' : '+', magnitude / 60, separator, magnitude % 60);
}

std::string rfc3339(const Timestamp& time) {
  const Fields f = fields_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}", f.year, f.month, f.day, f.hour, f.minute, f.second,
                     time.offset_minutes == 0 ? "Z" : offset_text(time.offset_minutes, ":"));
}

Timestamp parse_timestamp(std::string_view text) {
  const auto fail = [&] {
    throw ValueError(fmt::format("'{}' is no timestamp of RFC 3339, such as 2026-01-31T08:00:00Z", printable(text)));
  };
  const auto number = [&](std::size_t at, std::size_t length, int least, int most) {
    const auto value = at + length <= text.size() ? parse_unsigned(text.substr(at, length)) : std::nullopt;
    if (!value || *value < static_cast<std::uint64_t>(least) || *value > static_cast<std::uint64_t>(most)) fail();
    return static_cast<int>(*value);
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    fail();
  }
  const chrono::year_month_day date(chrono::year(number(0, 4, 0, 9999)),
                                    chrono::month(static_cast<unsigned>(number(5, 2, 1, 12))),
                                    chrono::day(static_cast<unsigned>(number(8, 2, 1, 31))));
  if (!date.ok()) fail();
  Timestamp time;
  time.seconds = chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400} + number(11, 2, 0, 23) * 3600 +
                 number(14, 2, 0, 59) * 60 + number(17, 2, 0, 59);
  std::size_t at = 19;
  if (text[at] == '.') {
    const std::size_t begin = ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at == begin) fail();
  }
  if (text.substr(at) == "Z") return time;
  if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':') fail();
  time.offset_minutes = number(at + 1, 2, 0, 23) * 60 + number(at + 4, 2, 0, 59);
  if (text[at] == '-') time.offset_minutes = -time.offset_minutes;
  time.seconds -= time.offset_minutes * 60;
  return time;
}

// "1h30m", "-1.5h", "300ms" in nanoseconds, as Go reads them.
double parse_duration(std::string_view text) {
  const auto fail = [&] {
    throw ValueError(fmt::format("'{}' is no duration, such as 1h30m or -10s", printable(text)));
  };
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (is_negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return 0;
  if (rest.empty()) fail();
  double total = 0;
  while (!rest.empty()) {
    const std::size_t length = std::min(rest.find_first_not_of("0123456789."), rest.size());
    const auto value = Number::parse(rest.substr(0, length));
    if (!value || length > 30) fail();
    rest.remove_prefix(length);
    static constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {{{"ns", 1e-9},
                                                                                   {"us", 1e-6},
                                                                                   {"\xC2\xB5s", 1e-6},
                                                                                   {"\xCE\xBCs", 1e-6},
                                                                                   {"ms", 1e-3},
                                                                                   {"s", 1},
                                                                                   {"m", 60},
                                                                                   {"h", 3600}}};
    bool has_unit = false;
    for (const auto& [unit, seconds] : kUnits) {
      if (!rest.starts_with(unit)) continue;
      total += value->to_double() * seconds;
      rest.remove_prefix(unit.size());
      has_unit = true;
      break;
    }
    if (!has_unit) fail();
  }
  if (total > 9.2e9) fail();
  return is_negative ? -total : total;
}

class DateFormatter {
 public:
  explicit DateFormatter(const Timestamp& time) : time_(time), fields_(fields_of(time)) {}

  std::string format(std::string_view format) {
    std::string result;
    for (std::size_t at = 0; at < format.size();) {
      const char c = format[at];
      if (c == '\'') {
        at = literal(format, at, result);
      } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        std::size_t end = at;
        while (end < format.size() && format[end] == c) ++end;
        result += verb(format.substr(at, end - at));
        at = end;
      } else {
        result += c;
        ++at;
      }
    }
    return result;
  }

 private:
  static std::size_t literal(std::string_view format, std::size_t at, std::string& into) {
    if (format.substr(at).starts_with("''")) {
      into += '\'';
      return at + 2;
    }
    for (++at; at < format.size(); ++at) {
      if (format[at] != '\'') {
        into += format[at];
      } else if (at + 1 < format.size() && format[at + 1] == '\'') {
        into += '\'';
        ++at;
      } else {
        return at + 1;
      }
    }
    throw ValueError("the format has a quote without its partner");
  }

  static std::string number(std::string_view verb, int value) {
    if (verb.size() == 1) return fmt::format("{}", value);
    if (verb.size() == 2) return fmt::format("{:02}", value);
    unknown(verb);
  }

  static std::string name(std::string_view verb, std::string_view word) {
    if (verb.size() == 3) return std::string(word.substr(0, 3));
    if (verb.size() == 4) return std::string(word);
    unknown(verb);
  }

  [[noreturn]] static void unknown(std::string_view verb) {
    throw ValueError(
        fmt::format("unknown date verb '{}'; known: YY YYYY M MM MMM MMMM D DD EEE EEEE h hh H HH AA aa m mm s ss Z "
                    "ZZZ ZZZZ ZZZZZ; "
                    "letters that are no verb stand in '...'",
                    verb));
  }

  std::string verb(std::string_view verb) const {
    switch (verb[0]) {
      case 'Y':
        if (verb.size() == 2) return fmt::format("{:02}", fields_.year % 100);
        if (verb.size() == 4) return fmt::format("{:04}", fields_.year);
        unknown(verb);
      case 'M':
        return verb.size() < 3 ? number(verb, fields_.month)
                               : name(verb, kMonths[static_cast<std::size_t>(fields_.month - 1)]);
      case 'D':
        return number(verb, fields_.day);
      case 'E':
        return name(verb, kWeekdays[static_cast<std::size_t>(fields_.weekday)]);
      case 'h':
        return number(verb, fields_.hour);
      case 'H':
        return number(verb, fields_.hour % 12 == 0 ? 12 : fields_.hour % 12);
      case 'A':
        if (verb.size() == 2) return fields_.hour < 12 ? "AM" : "PM";
        unknown(verb);
      case 'a':
        if (verb.size() == 2) return fields_.hour < 12 ? "am" : "pm";
        unknown(verb);
      case 'm':
        return number(verb, fields_.minute);
      case 's':
        return number(verb, fields_.second);
      case 'Z':
        return zone(verb);
      default:
        unknown(verb);
    }
  }

  std::string zone(std::string_view verb) const {
    const int minutes = time_.offset_minutes;
    if (verb.size() == 1) return minutes == 0 ? "Z" : offset_text(minutes, ":");
    if (verb.size() == 3) return minutes == 0 ? "UTC" : offset_text(minutes, "");
    if (verb.size() == 4) return offset_text(minutes, "");
    if (verb.size() == 5) return offset_text(minutes, ":");
    unknown(verb);
  }

  Timestamp time_;
  Fields fields_;
};

Timestamp unix_time(const Value& value) {
  constexpr std::int64_t kMost = 253'402'300'799;  // the end of the year 9999
  return {whole_number(value, "the time", -62'135'596'800, kMost), 0};
}

Value formattimestamp(const Values& arguments) {
  const Value& given = arguments[1];
  if (!given.is(Type::Kind::string) && !given.is(Type::Kind::number)) {
    throw ValueError("the time must be a timestamp of RFC 3339 or seconds of Unix");
  }
  const Timestamp time = given.is(Type::Kind::string) ? parse_timestamp(given.text()) : unix_time(given);
  if (arguments[0].text() == "X") return Value::of(fmt::format("{}", time.seconds));
  return Value::of(DateFormatter(time).format(arguments[0].text()));
}

Value timeadd(const Values& arguments) {
  Timestamp time = parse_timestamp(arguments[0].text());
  time.seconds += static_cast<std::int64_t>(std::floor(parse_duration(arguments[1].text())));
  return Value::of(rfc3339(time));
}

Value unixtimestampparse(const Values& arguments) {
  const Timestamp time = unix_time(arguments[0]);
  const Fields f = fields_of(time);
  // The ISO week is that of the week's Thursday.
  const Fields thursday = fields_of({time.seconds + (4 - (f.weekday == 0 ? 7 : f.weekday)) * std::int64_t{86400}, 0});
  const auto number = [](int value) { return Value::of(std::int64_t{value}); };
  return Value::object({{"year", number(f.year)},
                        {"year_day", number(f.year_day)},
                        {"day", number(f.day)},
                        {"month", number(f.month)},
                        {"month_name", Value::of(kMonths[static_cast<std::size_t>(f.month - 1)])},
                        {"weekday", number(f.weekday)},
                        {"weekday_name", Value::of(kWeekdays[static_cast<std::size_t>(f.weekday)])},
                        {"hour", number(f.hour)},
                        {"minute", number(f.minute)},
                        {"second", number(f.second)},
                        {"rfc3339", Value::of(rfc3339(time))},
                        {"iso_year", number(thursday.year)},
                        {"iso_week", number((thursday.year_day - 1) / 7 + 1)}});
}

Value now(const Values&) {
  const auto seconds = chrono::floor<chrono::seconds>(chrono::system_clock::now()).time_since_epoch().count();
  return Value::of(rfc3339({seconds, 0}));
}

}  // namespace

FunctionTable time_functions() {
  const Parameter format{"format", Type::string()}, text{"time", Type::string()};
  return {
      {"formatdate",
       {{format, text},
        {},
        [](const Values& v) { return Value::of(DateFormatter(parse_timestamp(v[1].text())).format(v[0].text())); }}},
      {"formattimestamp", {{format, {"time", Type()}}, {}, formattimestamp}},
      {"timeadd", {{{"timestamp", Type::string()}, {"duration", Type::string()}}, {}, timeadd}},
      {"timestamp", {{}, {}, now}},
      {"unixtimestampparse", {{{"unix_timestamp", Type::number()}}, {}, unixtimestampparse}},
  };
}

}  // namespace kiln::hcl
