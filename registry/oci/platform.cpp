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

// The variant as a number that grows with what it can do; nullopt for a variant that is ordered with no other. arm64's
// v9.0 can what v8.5 can.
std::optional<int> level_of(const Platform& platform) {
  std::string_view variant = platform.variant;
  if (platform.architecture == "amd64" && variant.empty()) return 1;
  if (platform.architecture == "arm64" && variant.empty()) return 0;
  if (!variant.starts_with('v')) return std::nullopt;
  variant.remove_prefix(1);
  const std::size_t dot = variant.find('.');
  const auto major = parse_unsigned(variant.substr(0, dot));
  const auto minor =
      dot == std::string_view::npos ? std::optional<std::uint64_t>(0) : parse_unsigned(variant.substr(dot + 1));
  if (!major || !minor || *major > 99 || *minor > 99) return std::nullopt;
  if (platform.architecture == "amd64" || platform.architecture == "arm") {
    return *minor == 0 ? std::optional(static_cast<int>(*major)) : std::nullopt;
  }
  if (platform.architecture != "arm64") return std::nullopt;
  if (*major == 8) return static_cast<int>(2 * *minor);
  if (*major == 9) return static_cast<int>(2 * (*minor + 5) + 1);
  return std::nullopt;
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

Platform Platform::normalised() const {
  Platform result = *this;
  result.os = to_lower(result.os);
  result.architecture = to_lower(result.architecture);
  result.variant = to_lower(result.variant);
  normalise(result);
  return result;
}

std::optional<int> Platform::distance_to(const Platform& image) const {
  constexpr int kOtherArchitecture = 1000;
  constexpr int kArmOfArm64 = 8;
  constexpr int kLeastArm = 5;
  const Platform own = normalised();
  const Platform other = image.normalised();
  if (own.os != other.os) return std::nullopt;
  const std::optional<int> level = level_of(other);
  if (own.architecture == other.architecture) {
    if (own.variant == other.variant) return 0;
    const std::optional<int> most = level_of(own);
    if (!level || !most || *level > *most) return std::nullopt;
    return *most - *level;
  }
  if (own.architecture == "amd64" && other.architecture == "386") return kOtherArchitecture;
  if (own.architecture == "arm64" && other.architecture == "arm" && level && *level >= kLeastArm &&
      *level <= kArmOfArm64) {
    return kOtherArchitecture + kArmOfArm64 - *level;
  }
  return std::nullopt;
}

std::string Platform::str() const {
  return variant.empty() ? fmt::format("{}/{}", os, architecture) : fmt::format("{}/{}/{}", os, architecture, variant);
}

std::string Platform::shown() const { return printable(str(), 100); }

}  // namespace kiln::oci
