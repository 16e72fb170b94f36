#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/packages/package.hpp"
#include "builder/packages/package_url.hpp"
#include "builder/packages/version_range.hpp"

namespace kiln {

// Packages by their package URL without qualifiers and subpath, and a range of versions: "pkg:pypi/urllib3" and
// "<2.0.7". Of Debian's and Alpine's packages the vendor may be left out ("pkg:deb/openssl"); then every vendor's
// counts. A name is compared as its ecosystem compares names. A value.
class PackagePattern {
 public:
  // A version in the URL ("pkg:npm/left-pad@1.3.0") is a range of that one; `versions` must be empty then. Without both
  // every version counts. Error{usage} that says what is wrong.
  static PackagePattern parse(std::string_view url, std::string_view versions);

  // The package itself, or the source package that it was made of.
  bool matches(const StatedPackage& package, const Distribution& distribution) const;

  const std::string& url() const noexcept { return url_; }
  const VersionRange& versions() const noexcept { return versions_; }

  bool operator==(const PackagePattern&) const = default;

 private:
  std::string url_;  // without a version
  Ecosystem ecosystem_ = Ecosystem::deb;
  std::string vendor_;  // of deb and apk; empty: any
  std::string name_;
  VersionRange versions_;
};

}  // namespace kiln
