#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/packages/package.hpp"

namespace kiln {

enum class DatabaseKind : std::uint8_t {
  dpkg_status,
  dpkg_status_part,  // a file of status.d
  dpkg_sums,         // its list of MD5 sums
  dpkg_list,
  debian_copyright,
  apk_installed,  // of each layer that has one, to tell in which of them a package came
  conda_package,
  python_metadata,
  python_record,
  npm_manifest,
};

// A file that tells of packages.
struct DatabaseFile {
  DatabaseKind kind = DatabaseKind::dpkg_status;
  std::string path;         // by which it is asked for in the image
  std::size_t layer = 0;    // where its bytes are, and as what
  std::string stored_path;  // differs from `path` behind a link
};

// What a file is by its name, of those databases that may be anywhere.
std::optional<DatabaseKind> database_kind_by_name(std::string_view path);

// What of an image's databases is read. Each package has a few files: what states it, what lists its files, its
// licence.
struct DatabaseBounds {
  std::uint64_t bytes = kMaxReadBytes;
  std::size_t files = 4 * kMaxPackages;
};

// Every file of the merged view that tells of packages, in the order of kinds, of paths, of layers. Files that are too
// large are left out with a note, and so is what goes beyond the bounds.
std::vector<DatabaseFile> find_databases(const MergedView& view, PackageNotes& notes, DatabaseBounds bounds = {});

}  // namespace kiln
