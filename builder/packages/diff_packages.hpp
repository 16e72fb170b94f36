#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/packages/package.hpp"

namespace kiln {

// A package that a step installed, at one place: of a module that npm put below two others, or of a distribution in two
// environments, each is one.
struct DiffPackage {
  StatedPackage stated;
  std::string location;  // the file that states it
};

// What a step installed: the packages whose own file of a database is in its diff. What it only touched of packages
// that were there before (bytecode of an import, a configuration) belongs to none of them, since no image that installs
// such a package gets it with it.
//
// Read are RECORD and METADATA of Python's distributions, dpkg's info/*.list and status, npm's package.json below
// node_modules, conda-meta/*.json. apk keeps one file for all its packages, so what it installs is not told apart.
struct DiffPackages {
  std::vector<DiffPackage> packages;               // by ecosystem; a file belongs to the first that claims it
  std::vector<std::optional<std::size_t>> owners;  // of each entry of the diff; none of folders and of marks
  std::vector<std::string> notes;                  // what was left out, and why
};

// `diff` is in entry order, contents need not be known. The layers below are asked for links on the way to files (/lib
// is usr/lib), and nothing is read of them. `read` returns the text of a file of the diff, nullopt where it cannot.
// Throws what `read` throws.
using ReadDiffFile = std::function<std::optional<std::string>(const std::string& path)>;
DiffPackages packages_of_diff(const std::vector<FileEntry>& diff, const MergedView& below, const ReadDiffFile& read);

}  // namespace kiln
