#include "builder/packages/language_packages.hpp"

#include <unordered_map>

#include "builder/packages/databases.hpp"

namespace kiln {

namespace {

void read_conda(PackageSource& source, FileOwners& owners, PackageNotes& notes) {
  source.each(DatabaseKind::conda_package, [&](const std::string& path, const std::string& text) {
    for (CondaPackage& package : read_conda_package(text, path, notes)) {
      const auto number = source.add(std::move(package.stated), path);
      if (!number) continue;
      owners.claim("", path, *number);
      const std::string_view prefix = parent_path(parent_path(path));
      for (const std::string& file : package.files) owners.claim(prefix, file, *number);
    }
  });
}

void read_python(PackageSource& source, FileOwners& owners, PackageNotes& notes) {
  std::unordered_map<std::string, std::size_t> numbers;  // by folder
  source.each(DatabaseKind::python_metadata, [&](const std::string& path, const std::string& text) {
    for (StatedPackage& package : read_python_metadata(text, path, notes)) {
      const auto number = source.add(std::move(package), path);
      if (!number) continue;
      const bool is_folder = !path.ends_with(".egg-info");
      const std::string folder(is_folder ? parent_path(path) : std::string_view(path));
      if (is_folder) numbers.emplace(folder, *number);
      owners.claim_below(folder, "", *number);
    }
  });
  source.each(DatabaseKind::python_record, [&](const std::string& path, const std::string& text) {
    const auto number = numbers.find(std::string(parent_path(path)));
    if (number == numbers.end()) return;
    const std::string_view site = parent_path(parent_path(path));
    for (const std::string& file : read_python_record(text)) owners.claim(site, file, number->second);
  });
}

void read_npm(PackageSource& source, FileOwners& owners, PackageNotes& notes) {
  source.each(DatabaseKind::npm_manifest, [&](const std::string& path, const std::string& text) {
    for (StatedPackage& package : read_npm_manifest(text, path, notes)) {
      const auto number = source.add(std::move(package), path);
      if (!number) continue;
      const std::string_view folder = parent_path(path);
      owners.claim_below(folder, join_path(folder, "node_modules"), *number);
    }
  });
}

}  // namespace

void read_language_packages(PackageSource& source, FileOwners& owners, PackageNotes& notes) {
  read_conda(source, owners, notes);
  read_python(source, owners, notes);
  read_npm(source, owners, notes);
}

}  // namespace kiln
