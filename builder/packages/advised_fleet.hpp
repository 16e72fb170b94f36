#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "builder/packages/advice.hpp"

namespace kiln {

// Where a package is installed, whatever its version: the site-packages folder, the environment, npm's path; "" for the
// system's.
std::string place_of(Ecosystem ecosystem, const std::string& location);
// What a package is apart from its version and image: ecosystem, name, architecture, place.
std::string identity_of(const StatedPackage& package, const std::string& location);

// One package of one image.
struct PackageCopy {
  std::size_t image = 0;
  const Package* package = nullptr;
  std::size_t blob = 0;     // number of its layer's
  std::uint64_t bytes = 0;  // compressed; all of the layer where it holds nothing else
  bool is_share = false;
};

// Images as the searches for advice look at them, borrowed: each layer once, images by what they are built on.
class AdvisedFleet {
 public:
  explicit AdvisedFleet(const std::vector<AdvisedImage>& images);

  // A layer of one or more images.
  struct Blob {
    std::uint64_t bytes = 0;
    AdvisedImage::Origin origin;
    std::size_t packages = 0;         // in it that are seen
    std::uint64_t signature = 0;      // of these packages and their places
    std::vector<std::size_t> images;  // ascending
  };

  const std::vector<AdvisedImage>& images() const noexcept { return images_; }
  const std::vector<Blob>& blobs() const noexcept { return blobs_; }
  // Of an image's layer.
  std::size_t blob_number(std::size_t image, std::size_t layer) const { return numbers_[image][layer]; }
  // All copies of what is the same apart from the version, by identity_of().
  const std::map<std::string, std::vector<PackageCopy>>& packages() const noexcept { return packages_; }
  // The image whose layers are all, but not all there are, of this one's, the largest of them.
  std::optional<std::size_t> base_of(std::size_t image) const { return bases_[image]; }
  // Whether it is built on `base`, over however many others.
  bool is_built_on(std::size_t image, std::size_t base) const;
  // What a package adds to a layer's signature.
  static std::uint64_t signature_of(const Package& package);

  // The line of an image's layer; nullopt for a foreign one.
  const std::optional<StepLine>& line_of(const PackageCopy& copy) const { return blobs_[copy.blob].origin.line; }

  // A saving of each of an image's names, where it is none of 0.
  void add_saving(Advice& advice, std::size_t image, std::int64_t bytes) const;

 private:
  void add_blobs(std::size_t image);
  void add_packages(std::size_t image);
  void find_bases();

  const std::vector<AdvisedImage>& images_;
  std::vector<Blob> blobs_;
  std::vector<std::vector<std::size_t>> numbers_;  // of blobs, by image and layer
  std::unordered_map<oci::Digest, std::size_t> known_;
  std::map<std::string, std::vector<PackageCopy>> packages_;
  std::vector<std::optional<std::size_t>> bases_;
};

// The three searches, each in no order.
std::vector<Advice> advice_to_align(const AdvisedFleet& fleet);
std::vector<Advice> advice_to_hoist(const AdvisedFleet& fleet);
std::vector<Advice> advice_on_doubles(const AdvisedFleet& fleet);

}  // namespace kiln
