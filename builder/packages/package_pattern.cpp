#include "builder/packages/package_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

[[noreturn]] void refuse_pattern(std::string_view url, std::string_view expected) {
  throw Error(Category::usage, fmt::format("package '{}': expected {}", printable(url), expected));
}

Ecosystem ecosystem_of(std::string_view type, std::string_view url) {
  std::vector<std::string> known;
  for (const Ecosystem ecosystem : kEcosystems) {
    if (to_string(ecosystem) == type) return ecosystem;
    known.emplace_back(to_string(ecosystem));
  }
  refuse_pattern(url, fmt::format("a package URL of {}, such as 'pkg:pypi/urllib3'{}", join(known, ", "),
                                  suggestion(type, known)));
}

}  // namespace

PackagePattern PackagePattern::parse(std::string_view url, std::string_view versions) {
  constexpr std::string_view kScheme = "pkg:";
  std::string_view rest = url;
  if (!rest.starts_with(kScheme)) refuse_pattern(url, "a package URL, such as 'pkg:pypi/urllib3'");
  rest.remove_prefix(kScheme.size());
  if (rest.find_first_of("?#") != std::string_view::npos) refuse_pattern(url, "no qualifiers and no subpath");
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) refuse_pattern(url, "a type and a name, such as 'pkg:pypi/urllib3'");
  PackagePattern pattern;
  pattern.ecosystem_ = ecosystem_of(rest.substr(0, slash), url);
  rest.remove_prefix(slash + 1);
  // The scope of npm's packages begins with such a character too.
  const std::size_t at = rest.rfind('@');
  const bool has_version = at != std::string_view::npos && at != 0;
  const std::string version = has_version ? percent_decoded(rest.substr(at + 1)) : "";
  if (has_version) rest = rest.substr(0, at);
  if (has_version && !versions.empty())
    refuse_pattern(url, fmt::format("no version beside the range '{}'", printable(versions)));
  std::string name = percent_decoded(rest);
  const bool has_vendor = pattern.ecosystem_ == Ecosystem::deb || pattern.ecosystem_ == Ecosystem::apk;
  if (const std::size_t end = name.find('/'); has_vendor && end != std::string::npos) {
    pattern.vendor_ = to_lower(name.substr(0, end));
    name = name.substr(end + 1);
  }
  if (!is_plain_word(name)) refuse_pattern(url, "the name of a package");
  StatedPackage stated;
  stated.ecosystem = pattern.ecosystem_;
  stated.name = name;
  pattern.name_ = to_lower(compared_name(stated));
  pattern.url_ = url.substr(0, url.size() - (has_version ? url.size() - url.rfind('@') : 0));
  pattern.versions_ = VersionRange::parse(has_version ? "=" + version : versions.empty() ? "*" : std::string(versions));
  return pattern;
}

bool PackagePattern::matches(const StatedPackage& package, const Distribution& distribution) const {
  if (package.ecosystem != ecosystem_) return false;
  const bool is_name = to_lower(compared_name(package)) == name_;
  const bool is_source = !package.source.empty() && to_lower(package.source) == name_;
  if (!is_name && !is_source) return false;
  if (!vendor_.empty() && !distribution.id.empty() && distribution.id != vendor_) return false;
  const bool has_own_source = !is_name && !package.source_version.empty();
  return versions_.contains(ecosystem_, has_own_source ? package.source_version : package.version);
}

}  // namespace kiln
