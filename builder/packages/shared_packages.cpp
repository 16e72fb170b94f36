#include "builder/packages/shared_packages.hpp"

#include <algorithm>
#include <map>

namespace kiln {

namespace {

void note_image(std::vector<std::size_t>& images, std::size_t image) {
  if (images.empty() || images.back() != image) images.push_back(image);
}

struct Copies {
  SharedPackage shared;
  std::map<oci::Digest, std::uint64_t> bytes_of_blob;
};

}  // namespace

SharedContents shared_contents(const std::vector<ImagePackages>& images) {
  std::map<oci::Digest, SharedLayer> layers;
  std::map<std::string, Copies> packages;
  for (std::size_t number = 0; number < images.size(); ++number) {
    for (const PackageLayer& layer : images[number].layers) {
      const auto [known, is_new] = layers.try_emplace(layer.blob.digest);
      if (is_new) known->second.layer = layer;
      note_image(known->second.images, number);
    }
    for (const Package& package : images[number].packages) {
      const auto [known, is_new] = packages.try_emplace(package.purl);
      Copies& copies = known->second;
      if (is_new) copies.shared.package = package;
      note_image(copies.shared.images, number);
      std::uint64_t& bytes = copies.bytes_of_blob[images[number].layers.at(package.layer).blob.digest];
      bytes = std::max(bytes, package.compressed_bytes);
    }
  }
  SharedContents contents;
  for (auto& [digest, layer] : layers) {
    if (layer.images.size() > 1) contents.layers.push_back(std::move(layer));
  }
  for (auto& [purl, copies] : packages) {
    if (copies.shared.images.size() < 2) continue;
    std::uint64_t largest = 0;
    for (const auto& [blob, bytes] : copies.bytes_of_blob) {
      largest = std::max(largest, bytes);
      copies.shared.repeated_bytes += bytes;
    }
    copies.shared.repeated_bytes -= largest;
    copies.shared.copies = copies.bytes_of_blob.size();
    contents.packages.push_back(std::move(copies.shared));
  }
  std::stable_sort(contents.layers.begin(), contents.layers.end(),
                   [](const SharedLayer& a, const SharedLayer& b) { return a.layer.blob.size > b.layer.blob.size; });
  std::stable_sort(contents.packages.begin(), contents.packages.end(),
                   [](const SharedPackage& a, const SharedPackage& b) { return a.repeated_bytes > b.repeated_bytes; });
  return contents;
}

}  // namespace kiln
