#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/packages/package.hpp"
#include "builder/packages/package_url.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

// A package of an image. What is in one layer several times (a module that npm put below two others) is one package
// with several locations; in two layers it is two.
struct Package {
  StatedPackage stated;
  std::string purl;
  std::vector<std::string> locations;  // the files that state it, in order
  // The layer that brought it: of dpkg's packages the one that has their list of files, of apk's the first whose
  // database has this version, of others the one that has the file which states them.
  std::size_t layer = 0;
  // The system's package that brought the file which states it: python3-idna for the distribution idna.
  std::optional<std::string> part_of;
  std::uint64_t files = 0;             // that are its own: each file of an image counts for one package at most
  std::uint64_t unpacked_bytes = 0;    // of these files in the tars of their layers, headers and padding included
  std::uint64_t compressed_bytes = 0;  // their share of the layers' blobs, see LayerDensity
};

struct PackageLayer {
  oci::Descriptor blob;
  oci::Digest diff_id;
  std::string created_by;            // of its line of history; empty where the image has none
  std::uint64_t unpacked_bytes = 0;  // of its tar
  std::uint64_t packaged_bytes = 0;  // of them those of packages' files; what is overwritten above belongs to none
  std::uint64_t packaged_compressed_bytes = 0;  // the same of its blob

  // What is no package's of its tar, and of its blob.
  std::uint64_t other_unpacked_bytes() const;
  std::uint64_t other_compressed_bytes() const;
};

// A file that the image has.
struct PackagedFile {
  std::string path;
  oci::Digest content;
  std::size_t layer = 0;
  std::optional<std::size_t> package;  // of ImagePackages::packages; nullopt: it is no package's
};

struct ImagePackages {
  std::vector<Package> packages;     // in order of purl, then of layers
  std::vector<PackagedFile> files;   // in order of path, where they were asked for
  std::vector<PackageLayer> layers;  // from the bottom
  Distribution distribution;
  std::vector<std::string> notes;  // what was left out, and why
};

// An image as its documents and indexes tell it; borrowed. All lists are as long as the view's layers.
struct ImageFiles {
  const MergedView& view;
  const std::vector<oci::Descriptor>& blobs;
  const std::vector<oci::HistoryEntry>& history;
};

// Contents of files of one layer, by their paths in it; what cannot be read is missing.
using ReadLayerFiles =
    std::function<std::map<std::string, std::string>(std::size_t layer, const std::set<std::string>& paths)>;

// What is asked of an image beside its packages.
enum class FileList { none, all };

// Finds and reads the package databases of an image, then the programs that belong to no package, for what Go wrote
// into them. `read` is called at most once for each layer and each of the two, and only for layers that have some of
// it. Throws what `read` throws.
ImagePackages packages_of(const ImageFiles& image, const ReadLayerFiles& read, FileList files = FileList::none);

}  // namespace kiln
