#pragma once

#include <string>
#include <vector>

#include "builder/packages/image_packages.hpp"

namespace kiln {

// A package that is not the same in two images. One may be there in several versions.
struct PackageChange {
  enum class Kind { added, removed, changed } kind = Kind::changed;
  Ecosystem ecosystem = Ecosystem::deb;
  std::string name;
  std::string architecture;         // empty where the ecosystem has none
  std::vector<std::string> before;  // versions, in order of bytes; none of one that was added
  std::vector<std::string> after;
};

// In order of ecosystems, names and architectures. Layers and places are no difference.
std::vector<PackageChange> package_changes(const ImagePackages& before, const ImagePackages& after);

}  // namespace kiln
