#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln {

struct RunLimit {
  std::string name;  // as `ulimit` knows it: "nofile", "nproc", "core"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;  // kUnlimited for none
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

  bool operator==(const RunLimit&) const = default;
};
// "nofile=1024:2048", "core=-1". Error{usage} names the nearest real limit.
RunLimit parse_ulimit(std::string_view text);

// How a limit is called elsewhere.
struct RunLimitName {
  std::string_view name;     // docker's
  const char* runtime_name;  // the runtime specification's
  int resource;              // setrlimit(2)'s
};
// Error{usage} names the nearest real one.
const RunLimitName& run_limit_named(std::string_view name);

}  // namespace kiln
