#include "registry/oci/platform.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::oci {

namespace {

const std::vector<std::string> kArchitectures = {"386",      "amd64",   "arm",     "arm64", "loong64",
                                                 "mips64le", "ppc64le", "riscv64", "s390x", "wasm"};

void normalise(Platform& platform) {
  std::string& architecture = platform.architecture;
  if (architecture == "x86_64" || architecture == "x86-64") architecture = "amd64";
  if (architecture == "i386" || architecture == "i686") architecture = "386";
  if (architecture == "aarch64") architecture = "arm64";
  if (architecture == "armhf" || architecture == "armv7l") architecture = "arm", platform.variant = "v7";
  if (architecture == "armel" || architecture == "armv6l") architecture = "arm", platform.variant = "v6";
  if (architecture == "arm64" && (platform.variant == "v8" || platform.variant == "8")) platform.variant.clear();
  if (architecture == "amd64" && platform.variant == "v1") platform.variant.clear();
  if (architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  if (architecture == "arm" && platform.variant.size() == 1) platform.variant.insert(0, 1, 'v');
}

bool is_known(std::string_view architecture) {
  return std::find(kArchitectures.begin(), kArchitectures.end(), architecture) != kArchitectures.end();
}

}  // namespace

Platform Platform::parse(std::string_view text) {
  const auto parts = split(text, '/');
  Platform result;
  const auto refuse = [&](std::string_view why) {
    return Error(
        Category::usage,
        fmt::format("platform '{}': {}, expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64", printable(text), why));
  };
  if (parts.size() > 3 || std::any_of(parts.begin(), parts.end(), [](auto part) { return part.empty(); })) {
    throw refuse("malformed");
  }
  if (parts.size() == 1) {
    const std::string word = to_lower(parts[0]);
    if (word == "linux") {
      result = host();
      return result;
    }
    result.architecture = word;
  } else {
    result.os = to_lower(parts[0]);
    result.architecture = to_lower(parts[1]);
    if (parts.size() == 3) result.variant = to_lower(parts[2]);
  }
  normalise(result);
  if (parts.size() == 1 && !is_known(result.architecture)) throw refuse("unknown operating system or architecture");
  const auto is_word = [](std::string_view word) {
    return word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") == std::string_view::npos;
  };
  if (!is_word(result.os) || !is_word(result.architecture) || !is_word(result.variant)) throw refuse("malformed");
  return result;
}

Platform Platform::host() {
  utsname names;
  ::uname(&names);
  Platform result;
  result.architecture = names.machine;
  normalise(result);
  return result;
}

std::string Platform::str() const {
  return variant.empty() ? fmt::format("{}/{}", os, architecture) : fmt::format("{}/{}/{}", os, architecture, variant);
}

}  // namespace kiln::oci
