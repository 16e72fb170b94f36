#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/packages/package.hpp"

namespace kiln {

// Readers of single files of package databases. They take texts from anybody: what is no package is left out with a
// note that names `where`; nothing is thrown.

// dpkg's status (deb-status form), or a file of status.d as distroless images have it, whose paragraphs have no
// Status. Packages that are not installed (removed with their configuration left) are no packages.
std::vector<StatedPackage> read_dpkg_status(std::string_view text, std::string_view where, PackageNotes& notes);
// dpkg's list of a package's files, absolute paths; the root ("/.") is left out.
std::vector<std::string> read_dpkg_list(std::string_view text);
// Paths of a list of MD5 sums, which is what status.d has instead.
std::vector<std::string> read_md5sums(std::string_view text);
// The licences that a copyright file in machine-readable form names (DEP 5), each once, joined by " AND "; "" for
// a file of another form.
std::string read_debian_copyright(std::string_view text);

// One package of apk's list of what is installed, with its files.
struct ApkPackage {
  StatedPackage stated;
  std::vector<std::string> files;
};
std::vector<ApkPackage> read_apk_installed(std::string_view text, std::string_view where, PackageNotes& notes);

// A file of conda-meta: a package and its files, relative to the environment's folder. Nothing or one.
struct CondaPackage {
  StatedPackage stated;
  std::vector<std::string> files;
};
std::vector<CondaPackage> read_conda_package(std::string_view text, std::string_view where, PackageNotes& notes);

// Python: METADATA of a dist-info folder, PKG-INFO of an egg-info one. The name is as it is spelt there. Nothing or
// one.
std::vector<StatedPackage> read_python_metadata(std::string_view text, std::string_view where, PackageNotes& notes);
// Paths of RECORD (CSV), as they stand there: relative to the folder that holds the dist-info folder, or absolute.
std::vector<std::string> read_python_record(std::string_view text);

// npm: a package.json. Nothing or one; nothing and no note where it has no name or no version, which is usual for a
// file that only sets a module's type.
std::vector<StatedPackage> read_npm_manifest(std::string_view text, std::string_view where, PackageNotes& notes);

}  // namespace kiln
