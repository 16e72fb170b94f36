#include "builder/packages/advised_fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/packages/package_url.hpp"

namespace kiln {

namespace {

// Spreads a hash over all bits, so that sums of several tell sets apart (splitmix64's finish).
std::uint64_t spread(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

}  // namespace

std::string place_of(Ecosystem ecosystem, const std::string& location) {
  switch (ecosystem) {
    case Ecosystem::deb:
    case Ecosystem::apk:
      return "";
    case Ecosystem::conda:
      return std::string(parent_path(parent_path(location)));
    case Ecosystem::pypi: {
      const bool is_folder = !location.ends_with(".egg-info");
      return std::string(is_folder ? parent_path(parent_path(location)) : parent_path(location));
    }
    case Ecosystem::npm:
    case Ecosystem::golang:
      return location;
  }
  return "";
}

std::string identity_of(const StatedPackage& package, const std::string& location) {
  return fmt::format("{}\n{}\n{}\n{}", to_string(package.ecosystem), compared_name(package), package.architecture,
                     place_of(package.ecosystem, location));
}

AdvisedFleet::AdvisedFleet(const std::vector<AdvisedImage>& images) : images_(images), numbers_(images.size()) {
  for (std::size_t image = 0; image < images.size(); ++image) {
    add_blobs(image);
    add_packages(image);
  }
  find_bases();
}

std::uint64_t AdvisedFleet::signature_of(const Package& package) {
  std::string text = package.purl;
  for (const std::string& location : package.locations) text += '\n' + place_of(package.stated.ecosystem, location);
  return spread(std::hash<std::string>{}(text));
}

void AdvisedFleet::add_blobs(std::size_t image) {
  const AdvisedImage& advised = images_[image];
  std::vector<Blob> own(advised.packages.layers.size());
  for (const Package& package : advised.packages.packages) {
    ++own[package.layer].packages;
    own[package.layer].signature += signature_of(package);
  }
  for (std::size_t layer = 0; layer < own.size(); ++layer) {
    const oci::Descriptor& descriptor = advised.packages.layers[layer].blob;
    const auto [known, is_new] = known_.try_emplace(descriptor.digest, blobs_.size());
    if (is_new) blobs_.push_back({descriptor.size, advised.origins[layer], 0, 0, {}});
    Blob& blob = blobs_[known->second];
    // Where a higher layer hides some of its packages, another image may show all of them.
    if (own[layer].packages > blob.packages) {
      blob.packages = own[layer].packages;
      blob.signature = own[layer].signature;
    }
    if (!blob.origin.line) blob.origin = advised.origins[layer];
    if (blob.images.empty() || blob.images.back() != image) blob.images.push_back(image);
    numbers_[image].push_back(known->second);
  }
}

void AdvisedFleet::add_packages(std::size_t image) {
  for (const Package& package : images_[image].packages.packages) {
    // What the system's package brings has no bytes of its own, and no line.
    if (package.part_of || package.locations.empty()) continue;
    const std::size_t number = numbers_[image][package.layer];
    const bool is_whole = blobs_[number].origin.is_cut && blobs_[number].packages == 1;
    packages_[identity_of(package.stated, package.locations.front())].push_back(
        {image, &package, number, is_whole ? blobs_[number].bytes : package.compressed_bytes, !is_whole});
  }
}

void AdvisedFleet::find_bases() {
  std::unordered_map<std::uint64_t, std::size_t> by_layers;  // all of an image's
  const auto chain = [](std::uint64_t below, std::size_t blob) { return spread(below + spread(blob + 1)); };
  for (std::size_t image = 0; image < numbers_.size(); ++image) {
    std::uint64_t hash = 0;
    for (const std::size_t blob : numbers_[image]) hash = chain(hash, blob);
    by_layers.emplace(hash, image);
  }
  bases_.resize(numbers_.size());
  for (std::size_t image = 0; image < numbers_.size(); ++image) {
    std::uint64_t hash = 0;
    for (std::size_t layer = 0; layer + 1 < numbers_[image].size(); ++layer) {
      hash = chain(hash, numbers_[image][layer]);
      if (const auto found = by_layers.find(hash); found != by_layers.end()) bases_[image] = found->second;
    }
  }
}

bool AdvisedFleet::is_built_on(std::size_t image, std::size_t base) const {
  for (std::optional<std::size_t> below = bases_[image]; below; below = bases_[*below]) {
    if (*below == base) return true;
  }
  return false;
}

void AdvisedFleet::add_saving(Advice& advice, std::size_t image, std::int64_t bytes) const {
  if (bytes == 0) return;
  for (const std::string& name : images_[image].names) advice.image_bytes[name] += bytes;
}

std::string_view to_string(Advice::Kind kind) {
  switch (kind) {
    case Advice::Kind::align:
      return "align";
    case Advice::Kind::hoist:
      return "hoist";
    case Advice::Kind::twice:
      return "twice";
    case Advice::Kind::reorder:
      return "reorder";
  }
  return "";
}

void sort_advice(std::vector<Advice>& advice, std::int64_t least) {
  const auto most = [](const Advice& a) { return std::max(a.fleet_bytes, a.update_bytes); };
  std::erase_if(advice, [&](const Advice& a) { return most(a) < least; });
  std::stable_sort(advice.begin(), advice.end(), [&](const Advice& a, const Advice& b) { return most(a) > most(b); });
}

std::vector<Advice> package_advice(const std::vector<AdvisedImage>& images) {
  const AdvisedFleet fleet(images);
  std::vector<Advice> doubles = advice_on_doubles(fleet);
  std::vector<Advice> advice = advice_to_align(fleet);
  // An upgrade over a base aligns versions, too.
  std::map<std::vector<std::string>, std::vector<const Advice*>> by_packages;
  for (const Advice& twice : doubles) by_packages[twice.packages].push_back(&twice);
  std::erase_if(advice, [&](const Advice& align) {
    const std::vector<const Advice*>& others = by_packages[align.packages];
    return std::any_of(others.begin(), others.end(), [&](const Advice* twice) {
      return std::all_of(align.changes.begin(), align.changes.end(), [&](const AdvisedChange& change) {
        return std::find(twice->changes.begin(), twice->changes.end(), change) != twice->changes.end();
      });
    });
  });
  for (Advice& found : advice_to_hoist(fleet)) advice.push_back(std::move(found));
  for (Advice& found : doubles) advice.push_back(std::move(found));
  return advice;
}

}  // namespace kiln
