#pragma once

#include <functional>
#include <optional>
#include <string>

#include "builder/packages/database_search.hpp"
#include "builder/packages/file_owners.hpp"
#include "builder/packages/package.hpp"

namespace kiln {

// Where databases of packages are read from, and where what they state goes: a whole image, or what one step wrote.
class PackageSource {
 public:
  virtual ~PackageSource() = default;

  // Calls `visit` with each file of a kind, in order of paths; what cannot be read is left out with a note.
  using Visit = std::function<void(const std::string& path, const std::string& text)>;
  virtual void each(DatabaseKind kind, const Visit& visit) = 0;
  // Takes what the file that is visited states; its number, nullopt where it is not to be counted. Called before any of
  // its files are claimed.
  virtual std::optional<std::size_t> add(StatedPackage stated, const std::string& path) = 0;
};

// Reads conda's packages, Python's and npm's, in this order, and claims their files. The system's are to have claimed
// theirs before.
void read_language_packages(PackageSource& source, FileOwners& owners, PackageNotes& notes);

}  // namespace kiln
