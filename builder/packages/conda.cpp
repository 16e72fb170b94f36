#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "builder/packages/databases.hpp"

namespace kiln {

std::vector<CondaPackage> read_conda_package(std::string_view text, std::string_view where, PackageNotes& notes) {
  nlohmann::json manifest;
  try {
    manifest = parse_json(text, where, Category::build, {kMaxPackageFileBytes, 64});
  } catch (const Error& error) {
    notes.add(error.message());
    return {};
  }
  CondaPackage package;
  package.stated.ecosystem = Ecosystem::conda;
  package.stated.name = string_member(manifest, "name");
  package.stated.version = string_member(manifest, "version");
  package.stated.licence = plain_line(string_member(manifest, "license"));
  if (!check_stated(package.stated, where, notes)) return {};
  if (const auto files = manifest.find("files"); files != manifest.end() && files->is_array()) {
    for (const nlohmann::json& file : *files) {
      if (file.is_string()) package.files.push_back(file.get<std::string>());
    }
  }
  return {std::move(package)};
}

}  // namespace kiln
