#include "builder/packages/database_search.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace kiln;

namespace {

// An image with so many manifests of npm, of so many bytes each.
MergedView image_of_manifests(int number, std::uint64_t bytes) {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("layer");
  for (int i = 0; i < number; ++i) {
    FileEntry entry;
    entry.path = fmt::format("node_modules/p{:02}/package.json", i);
    entry.mode = 0644;
    entry.size = bytes;
    entry.content = oci::sha256_of("manifest");
    parts.entries.push_back(std::move(entry));
  }
  return MergedView({std::make_shared<const FileIndex>(std::move(parts))});
}

}  // namespace

TEST_CASE("files about packages are read up to 256 MiB of an image, and the others left out and said") {
  PackageNotes notes;
  CHECK(find_databases(image_of_manifests(17, 16 << 20), notes).size() == 16);
  CHECK(notes.all() == std::vector<std::string>{"'node_modules/p16/package.json': left out; the databases of an image "
                                                "are read up to 268 MB in 800000 files"});
}

TEST_CASE("files about packages are read up to a number of them, and the others left out and said") {
  PackageNotes notes;
  CHECK(find_databases(image_of_manifests(5, 1), notes, {1000, 3}).size() == 3);
  CHECK(notes.all() == std::vector<std::string>{"'node_modules/p03/package.json': left out; the databases of an image "
                                                "are read up to 1.00 kB in 3 files",
                                                "'node_modules/p04/package.json': left out; the databases of an image "
                                                "are read up to 1.00 kB in 3 files"});
  CHECK(DatabaseBounds().files == 800'000);
}
