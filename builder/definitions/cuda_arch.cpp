#include "builder/definitions/cuda_arch.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

struct Capability {
  unsigned major = 0;
  unsigned minor = 0;
  bool is_exact = false;  // "9.0a": features of that chip, served by no other
  bool has_ptx = false;
};

Capability parse_capability(std::string_view text) {
  Capability result;
  std::string_view rest = text;
  if (rest.ends_with("+PTX")) {
    result.has_ptx = true;
    rest.remove_suffix(4);
  }
  if (rest.ends_with("a") || rest.ends_with("f")) {
    result.is_exact = true;
    rest.remove_suffix(1);
  }
  const std::size_t dot = rest.find('.');
  const auto major = parse_unsigned(rest.substr(0, dot));
  const auto minor = dot == std::string_view::npos ? std::nullopt : parse_unsigned(rest.substr(dot + 1));
  if (!major || !minor || *major > 99 || *minor > 9) {
    throw Error(Category::usage,
                fmt::format("'{}' is no compute capability; expected one such as '8.6' or '9.0+PTX'", printable(text)));
  }
  result.major = static_cast<unsigned>(*major);
  result.minor = static_cast<unsigned>(*minor);
  return result;
}

bool serves(const Capability& code, const Capability& gpu) {
  const bool is_same = code.major == gpu.major && code.minor == gpu.minor;
  if (code.is_exact) return is_same;
  if (code.major == gpu.major && code.minor <= gpu.minor) return true;
  return code.has_ptx && code.major < gpu.major;
}

}  // namespace

std::optional<std::string> check_cuda_arch(std::string_view wanted, const std::vector<std::string>& arch_list) {
  const Capability gpu = parse_capability(wanted);
  bool is_served = false;
  for (const std::string& entry : arch_list) is_served = serves(parse_capability(entry), gpu) || is_served;
  if (is_served) return std::nullopt;
  return fmt::format(
      "CUDA_ARCH '{}' is served by no entry of the arch list '{}': it needs one of the same major version with a minor "
      "version not above it, or an earlier one with +PTX",
      printable(wanted), printable(join(arch_list, ";")));
}

}  // namespace kiln
