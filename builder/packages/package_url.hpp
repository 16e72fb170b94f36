#pragma once

#include <string>
#include <string_view>

#include "builder/packages/package.hpp"

namespace kiln {

// The distribution that an image is, by its os-release; empty where it says nothing.
struct Distribution {
  std::string id;       // "debian"
  std::string version;  // "12"
};
Distribution distribution_of(std::string_view os_release);

// A package's URL (package-url specification): "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12".
// Qualifiers: arch, distro, and `upstream` with the source package of another name, by which databases of
// vulnerabilities know Debian's and Alpine's packages.
std::string package_url(const StatedPackage& package, const Distribution& distribution);

// PEP 503: lower case, runs of "-", "_" and "." one "-".
std::string normalised_python_name(std::string_view name);
// A package's name as its ecosystem compares it.
std::string compared_name(const StatedPackage& package);

}  // namespace kiln
