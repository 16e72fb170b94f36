#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "builder/packages/databases.hpp"

namespace kiln {

namespace {

using nlohmann::json;

// "MIT", or as old packages have it {"type": "MIT"} or [{"type": "MIT"}, ...], under either name.
std::string npm_licence(const json& manifest) {
  for (const char* key : {"license", "licenses"}) {
    const auto found = manifest.find(key);
    if (found == manifest.end()) continue;
    if (found->is_string()) return plain_line(found->get<std::string>());
    if (found->is_object()) return plain_line(string_member(*found, "type"));
    if (!found->is_array()) continue;
    std::string names;
    for (const json& entry : *found) {
      const std::string name = entry.is_string() ? entry.get<std::string>() : string_member(entry, "type");
      if (!name.empty() && names.size() < kMaxLicenceBytes) names += (names.empty() ? "" : " OR ") + name;
    }
    return plain_line(names);
  }
  return {};
}

}  // namespace

std::vector<StatedPackage> read_npm_manifest(std::string_view text, std::string_view where, PackageNotes& notes) {
  json manifest;
  try {
    manifest = parse_json(text, where, Category::build, {kMaxPackageFileBytes, 64});
  } catch (const Error& error) {
    notes.add(error.message());
    return {};
  }
  if (!manifest.is_object()) return {};
  StatedPackage package;
  package.ecosystem = Ecosystem::npm;
  package.name = string_member(manifest, "name");
  package.version = string_member(manifest, "version");
  if (package.name.empty() || package.version.empty()) return {};
  package.licence = npm_licence(manifest);
  if (!check_stated(package, where, notes)) return {};
  return {std::move(package)};
}

}  // namespace kiln
