#include "builder/packages/package_url.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/percent.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

// Of a value in os-release: quotes around it are no part of it.
std::string unquoted(std::string_view value) {
  value = trim(value);
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  return is_plain_word(value) ? std::string(value) : std::string();
}

// The specification leaves ':' as it is everywhere.
std::string encoded(std::string_view text) { return percent_encoded(text, ":"); }

std::string qualifiers_of(const StatedPackage& package, const Distribution& distribution) {
  std::vector<std::string> parts;
  if (is_plain_word(package.architecture)) parts.push_back("arch=" + encoded(package.architecture));
  if (!distribution.id.empty()) {
    const std::string version = distribution.version.empty() ? "" : "-" + distribution.version;
    parts.push_back("distro=" + encoded(distribution.id + version));
  }
  if (is_plain_word(package.source)) {
    const std::string version = is_plain_word(package.source_version) ? "@" + package.source_version : "";
    parts.push_back("upstream=" + encoded(package.source + version));
  }
  return parts.empty() ? "" : "?" + join(parts, "&");
}

}  // namespace

Distribution distribution_of(std::string_view os_release) {
  Distribution distribution;
  for (const std::string_view line : split(os_release, '\n')) {
    if (line.starts_with("ID=")) distribution.id = to_lower(unquoted(line.substr(3)));
    if (line.starts_with("VERSION_ID=")) distribution.version = unquoted(line.substr(11));
  }
  return distribution;
}

std::string normalised_python_name(std::string_view name) {
  std::string result;
  for (const char c : to_lower(name)) {
    const bool is_separator = c == '-' || c == '_' || c == '.';
    if (!is_separator) result += c;
    if (is_separator && !result.ends_with('-')) result += '-';
  }
  return result;
}

std::string package_url(const StatedPackage& package, const Distribution& distribution) {
  const std::string version = encoded(package.version);
  switch (package.ecosystem) {
    case Ecosystem::deb:
    case Ecosystem::apk: {
      const bool is_deb = package.ecosystem == Ecosystem::deb;
      const std::string vendor = !distribution.id.empty() ? distribution.id : std::string(is_deb ? "debian" : "alpine");
      return fmt::format("pkg:{}/{}/{}@{}{}", to_string(package.ecosystem), encoded(vendor),
                         encoded(to_lower(package.name)), version, qualifiers_of(package, distribution));
    }
    case Ecosystem::pypi:
      return fmt::format("pkg:pypi/{}@{}", encoded(normalised_python_name(package.name)), version);
    case Ecosystem::conda:
      return fmt::format("pkg:conda/{}@{}", encoded(package.name), version);
    case Ecosystem::npm: {
      const std::size_t slash = package.name.find('/');
      if (package.name.starts_with('@') && slash != std::string::npos) {
        return fmt::format("pkg:npm/{}/{}@{}", encoded(package.name.substr(0, slash)),
                           encoded(package.name.substr(slash + 1)), version);
      }
      return fmt::format("pkg:npm/{}@{}", encoded(package.name), version);
    }
    case Ecosystem::golang:
      return fmt::format("pkg:golang/{}@{}", percent_encoded(to_lower(package.name), ":/"), version);
  }
  return {};
}

std::string compared_name(const StatedPackage& package) {
  return package.ecosystem == Ecosystem::pypi ? normalised_python_name(package.name) : package.name;
}

}  // namespace kiln
