#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "builder/packages/advised_fleet.hpp"
#include "builder/packages/layer_cut.hpp"
#include "builder/packages/version_order.hpp"

namespace kiln {

namespace {

using CopiesOfPackage = std::vector<PackageCopy>;

// The layers along which images are cut, by what is in them.
using CutLayers = std::map<std::pair<std::size_t, std::uint64_t>, std::set<std::size_t>>;

CutLayers cut_layers_of(const AdvisedFleet& fleet) {
  CutLayers layers;
  for (std::size_t number = 0; number < fleet.blobs().size(); ++number) {
    const AdvisedFleet::Blob& blob = fleet.blobs()[number];
    if (blob.origin.is_cut && blob.packages > 0) layers[{blob.packages, blob.signature}].insert(number);
  }
  return layers;
}

class Aligning {
 public:
  Aligning(const AdvisedFleet& fleet, const CutLayers& layers, const CopiesOfPackage& copies)
      : fleet_(fleet), layers_(layers), copies_(copies), newest_(newest()) {}

  std::optional<Advice> run() {
    for (const PackageCopy& copy : copies_) {
      if (is_old(copy)) old_.insert_or_assign(copy.blob, &copy);
    }
    if (old_.empty()) return std::nullopt;
    const bool is_saving = is_large() ? count_own_layers() : count_pools();
    if (!is_saving) return std::nullopt;
    describe();
    return std::move(advice_);
  }

 private:
  const PackageCopy& newest() const {
    return *std::max_element(copies_.begin(), copies_.end(), [](const PackageCopy& a, const PackageCopy& b) {
      return is_older_version(a.package->stated.ecosystem, a.package->stated.version, b.package->stated.version);
    });
  }
  const std::string& version() const { return newest_.package->stated.version; }
  // Of an image's own line: what a foreign base brings stays as it is.
  bool is_old(const PackageCopy& copy) const {
    return copy.package->stated.version != version() && fleet_.line_of(copy).has_value();
  }
  bool is_large() const {
    return std::all_of(copies_.begin(), copies_.end(),
                       [](const PackageCopy& copy) { return copy.package->unpacked_bytes > kOwnLayerBytes; });
  }

  // One layer is left of all, that of the newest version.
  bool count_own_layers() {
    std::map<std::size_t, const PackageCopy*> counted;  // by blob
    const PackageCopy* kept = nullptr;
    for (const PackageCopy& copy : copies_) {
      if (!fleet_.line_of(copy)) continue;
      counted.emplace(copy.blob, &copy);
      if (copy.package->stated.version != version()) continue;
      if (kept == nullptr || copy.bytes > kept->bytes) kept = &copy;
    }
    const std::int64_t left = signed_bytes(kept != nullptr ? kept->bytes : newest_.bytes);
    advice_.fleet_bytes = advice_.update_bytes = -left;
    for (const auto& [blob, copy] : counted) {
      advice_.fleet_bytes += signed_bytes(copy->bytes);
      advice_.update_bytes += signed_bytes(fleet_.blobs()[blob].bytes);
      advice_.needs_cut = advice_.needs_cut || !fleet_.blobs()[blob].origin.is_cut;
      advice_.is_share = advice_.is_share || copy->is_share;
    }
    for (const PackageCopy& copy : copies_) {
      if (fleet_.line_of(copy)) fleet_.add_saving(advice_, copy.image, signed_bytes(copy.bytes) - left);
    }
    return counted.size() > 1;
  }

  // Layers that have the newest version instead may be those of other images then.
  bool count_pools() {
    struct Group {
      std::int64_t before = 0, largest = 0;
      std::size_t layers = 0;
    };
    std::map<std::pair<std::size_t, std::uint64_t>, Group> groups;  // by what they will hold
    const auto key_of = [&](const PackageCopy& copy) {
      const AdvisedFleet::Blob& blob = fleet_.blobs()[copy.blob];
      const std::uint64_t changed =
          blob.signature - AdvisedFleet::signature_of(*copy.package) + AdvisedFleet::signature_of(*newest_.package);
      return std::pair(blob.packages, changed);
    };
    const auto size_after = [&](const PackageCopy& copy) {
      return signed_bytes(fleet_.blobs()[copy.blob].bytes) - signed_bytes(copy.bytes) + signed_bytes(newest_.bytes);
    };
    for (const auto& [number, copy] : old_) {
      if (!fleet_.blobs()[number].origin.is_cut) continue;
      Group& group = groups[key_of(*copy)];
      group.before += signed_bytes(fleet_.blobs()[number].bytes);
      group.largest = std::max(group.largest, size_after(*copy));
      ++group.layers;
    }
    bool any_equal = false;
    for (auto& [key, group] : groups) {
      const auto known = layers_.find(key);
      if (known != layers_.end()) group.largest = 0;
      any_equal = any_equal || known != layers_.end() || group.layers > 1;
      advice_.fleet_bytes += group.before - group.largest;
    }
    advice_.update_bytes = advice_.fleet_bytes;
    for (const PackageCopy& copy : copies_) {
      if (!is_old(copy) || !fleet_.blobs()[copy.blob].origin.is_cut) continue;
      const auto known = layers_.find(key_of(copy));
      const std::int64_t after =
          known == layers_.end() ? size_after(copy) : signed_bytes(fleet_.blobs()[*known->second.begin()].bytes);
      fleet_.add_saving(advice_, copy.image, signed_bytes(fleet_.blobs()[copy.blob].bytes) - after);
    }
    return any_equal;
  }

  void describe() {
    const StatedPackage& stated = newest_.package->stated;
    std::set<std::string> versions;
    std::set<std::size_t> images;
    for (const PackageCopy& copy : copies_) {
      versions.insert(copy.package->stated.version);
      images.insert(copy.image);
    }
    std::size_t names = 0;  // images that are equal are one here, and not to those who read
    for (const std::size_t image : images) names += fleet_.images()[image].names.size();
    advice_.kind = Advice::Kind::align;
    advice_.packages = {stated.name};
    advice_.title = fmt::format("{} is there in {} versions in {} images: {}", stated.name, versions.size(), names,
                                join({versions.begin(), versions.end()}, ", "));
    std::set<std::pair<StepLine, std::string>> told;
    for (const PackageCopy& copy : copies_) {
      const std::string& from = copy.package->stated.version;
      const bool has_to_change = is_old(copy) && told.insert({*fleet_.line_of(copy), from}).second;
      if (!has_to_change) continue;
      advice_.changes.push_back({*fleet_.line_of(copy),
                                 fmt::format("install {} {}, not {}", stated.name, version(), from), stated.name, from,
                                 version()});
    }
  }

  const AdvisedFleet& fleet_;
  const CutLayers& layers_;
  const CopiesOfPackage& copies_;
  const PackageCopy& newest_;
  std::map<std::size_t, const PackageCopy*> old_;  // by blob
  Advice advice_;
};

}  // namespace

std::vector<Advice> advice_to_align(const AdvisedFleet& fleet) {
  const CutLayers layers = cut_layers_of(fleet);
  std::vector<Advice> advice;
  for (const auto& [identity, copies] : fleet.packages()) {
    const std::string& first = copies.front().package->stated.version;
    const bool is_one = std::all_of(copies.begin(), copies.end(),
                                    [&](const PackageCopy& copy) { return copy.package->stated.version == first; });
    if (is_one) continue;
    if (auto found = Aligning(fleet, layers, copies).run()) advice.push_back(std::move(*found));
  }
  return advice;
}

}  // namespace kiln
