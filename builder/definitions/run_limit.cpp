#include "builder/definitions/run_limit.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::array<RunLimitName, 15> kLimits = {{{"core", "RLIMIT_CORE", RLIMIT_CORE},
                                                   {"cpu", "RLIMIT_CPU", RLIMIT_CPU},
                                                   {"data", "RLIMIT_DATA", RLIMIT_DATA},
                                                   {"fsize", "RLIMIT_FSIZE", RLIMIT_FSIZE},
                                                   {"locks", "RLIMIT_LOCKS", RLIMIT_LOCKS},
                                                   {"memlock", "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                                   {"msgqueue", "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                                   {"nice", "RLIMIT_NICE", RLIMIT_NICE},
                                                   {"nofile", "RLIMIT_NOFILE", RLIMIT_NOFILE},
                                                   {"nproc", "RLIMIT_NPROC", RLIMIT_NPROC},
                                                   {"rss", "RLIMIT_RSS", RLIMIT_RSS},
                                                   {"rtprio", "RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                                   {"rttime", "RLIMIT_RTTIME", RLIMIT_RTTIME},
                                                   {"sigpending", "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                                   {"stack", "RLIMIT_STACK", RLIMIT_STACK}}};

std::uint64_t parse_limit_value(std::string_view text, std::string_view whole) {
  if (text == "-1" || text == "unlimited") return RunLimit::kUnlimited;
  if (const auto value = parse_unsigned(text)) return *value;
  throw Error(Category::usage,
              fmt::format("ulimit '{}': expected NAME=SOFT[:HARD] with whole numbers, got '{}'", whole, text));
}

}  // namespace

const RunLimitName& run_limit_named(std::string_view name) {
  for (const RunLimitName& limit : kLimits) {
    if (limit.name == name) return limit;
  }
  std::vector<std::string> known;
  for (const RunLimitName& limit : kLimits) known.emplace_back(limit.name);
  throw Error(Category::usage, fmt::format("ulimit '{}' is not known{}", printable(name), suggestion(name, known)));
}

RunLimit parse_ulimit(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    throw Error(Category::usage, fmt::format("ulimit '{}': expected NAME=SOFT[:HARD]", text));
  }
  RunLimit limit;
  limit.name = run_limit_named(text.substr(0, equals)).name;
  const std::string_view values = text.substr(equals + 1);
  const std::size_t colon = values.find(':');
  limit.soft = parse_limit_value(values.substr(0, colon), text);
  limit.hard = colon == std::string_view::npos ? limit.soft : parse_limit_value(values.substr(colon + 1), text);
  if (limit.soft > limit.hard) {
    throw Error(Category::usage, fmt::format("ulimit '{}': the soft limit is above the hard limit", text));
  }
  return limit;
}

}  // namespace kiln
