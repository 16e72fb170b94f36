#include "builder/packages/package_changes.hpp"

#include <map>
#include <set>
#include <tuple>

namespace kiln {

std::vector<PackageChange> package_changes(const ImagePackages& before, const ImagePackages& after) {
  struct Versions {
    std::set<std::string> before, after;
  };
  std::map<std::tuple<Ecosystem, std::string, std::string>, Versions> known;
  const auto of = [&](const StatedPackage& stated) -> Versions& {
    const bool is_python = stated.ecosystem == Ecosystem::pypi;
    return known[{stated.ecosystem, is_python ? normalised_python_name(stated.name) : stated.name,
                  stated.architecture}];
  };
  for (const Package& package : before.packages) of(package.stated).before.insert(package.stated.version);
  for (const Package& package : after.packages) of(package.stated).after.insert(package.stated.version);
  std::vector<PackageChange> changes;
  for (const auto& [key, versions] : known) {
    if (versions.before == versions.after) continue;
    using Kind = PackageChange::Kind;
    const Kind kind = versions.before.empty() ? Kind::added : versions.after.empty() ? Kind::removed : Kind::changed;
    changes.push_back({kind,
                       std::get<0>(key),
                       std::get<1>(key),
                       std::get<2>(key),
                       {versions.before.begin(), versions.before.end()},
                       {versions.after.begin(), versions.after.end()}});
  }
  return changes;
}

}  // namespace kiln
