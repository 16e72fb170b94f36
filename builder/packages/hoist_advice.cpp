#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/join_first.hpp"
#include "builder/packages/advised_fleet.hpp"

namespace kiln {

namespace {

constexpr std::size_t kNamedPackages = 4;

// One package that children of a base bring, each by itself.
struct Hoisted {
  std::vector<const PackageCopy*> copies;           // of children, one for each
  std::map<std::size_t, const PackageCopy*> blobs;  // by number
  std::uint64_t largest = 0;
  std::uint64_t bytes = 0;  // of all blobs
};

// The line of a base that a package of this kind belongs into: the last that brings others of it, else the last.
const StepLine* line_to_install_in(const AdvisedImage& base, Ecosystem ecosystem) {
  std::set<std::size_t> layers;
  for (const Package& package : base.packages.packages) {
    if (package.stated.ecosystem == ecosystem) layers.insert(package.layer);
  }
  const StepLine* last = nullptr;
  const StepLine* fitting = nullptr;
  for (std::size_t layer = 0; layer < base.origins.size(); ++layer) {
    if (!base.origins[layer].line) continue;
    last = &*base.origins[layer].line;
    if (layers.contains(layer)) fitting = last;
  }
  return fitting != nullptr ? fitting : last;
}

class Hoisting {
 public:
  Hoisting(const AdvisedFleet& fleet, std::size_t base, std::vector<std::size_t> children)
      : fleet_(fleet), base_(base), children_(std::move(children)) {
    for (const Package& package : fleet.images()[base].packages.packages) in_base_.insert(name_key(package.stated));
  }

  void take(const std::vector<const PackageCopy*>& copies) {
    std::map<std::string, Hoisted> by_version;
    for (const PackageCopy* of_child : copies) {
      const PackageCopy& copy = *of_child;
      const bool is_childs = fleet_.base_of(copy.image) == base_ && fleet_.line_of(copy) &&
                             copy.package->layer >= fleet_.images()[base_].origins.size();
      if (!is_childs || in_base_.contains(name_key(copy.package->stated))) continue;
      Hoisted& hoisted = by_version[copy.package->stated.version];
      hoisted.copies.push_back(&copy);
      if (!hoisted.blobs.emplace(copy.blob, &copy).second) continue;
      hoisted.largest = std::max(hoisted.largest, copy.bytes);
      hoisted.bytes += copy.bytes;
    }
    for (auto& [version, hoisted] : by_version) {
      const bool is_worth_it = hoisted.copies.size() * 2 > children_.size() && hoisted.blobs.size() > 1;
      if (!is_worth_it) continue;
      std::vector<std::size_t> blobs;
      for (const auto& [blob, copy] : hoisted.blobs) blobs.push_back(blob);
      groups_[{hoisted.copies.front()->package->stated.ecosystem, std::move(blobs)}].push_back(std::move(hoisted));
    }
  }

  void finish(std::vector<Advice>& advice) {
    for (const auto& [key, group] : groups_) {
      const StepLine* line = line_to_install_in(fleet_.images()[base_], key.first);
      if (line != nullptr) advice.push_back(advice_of(group, *line));
    }
  }

 private:
  static std::string name_key(const StatedPackage& package) {
    return fmt::format("{}\n{}", to_string(package.ecosystem), compared_name(package));
  }

  Advice advice_of(const std::vector<Hoisted>& group, const StepLine& line) const {
    Advice advice;
    advice.kind = Advice::Kind::hoist;
    std::int64_t in_base = 0;
    std::vector<std::string> shown;
    for (const Hoisted& hoisted : group) {
      const StatedPackage& stated = hoisted.copies.front()->package->stated;
      advice.packages.push_back(stated.name);
      shown.push_back(fmt::format("{} {}", stated.name, stated.version));
      in_base += signed_bytes(hoisted.largest);
      advice.update_bytes += signed_bytes(hoisted.bytes);
      for (const PackageCopy* copy : hoisted.copies) {
        advice.is_share = advice.is_share || copy->is_share;
        fleet_.add_saving(advice, copy->image, signed_bytes(copy->bytes));
      }
    }
    advice.fleet_bytes = advice.update_bytes - in_base;
    const std::string base = fleet_.images()[base_].names.front();
    advice.title =
        fmt::format("{}: {} of the {} images on {} bring {}, and it does not", join_first(shown, kNamedPackages),
                    group.front().copies.size(), children_.size(), base, shown.size() == 1 ? "it" : "them");
    for (std::size_t image = 0; image < fleet_.images().size(); ++image) {
      if (image == base_ || fleet_.is_built_on(image, base_)) fleet_.add_saving(advice, image, -in_base);
    }
    std::erase_if(advice.image_bytes, [](const auto& image) { return image.second == 0; });
    add_changes(advice, group, line);
    return advice;
  }

  static void add_change(Advice& advice, AdvisedChange change) {
    if (std::find(advice.changes.begin(), advice.changes.end(), change) == advice.changes.end())
      advice.changes.push_back(std::move(change));
  }

  void add_changes(Advice& advice, const std::vector<Hoisted>& group, const StepLine& line) const {
    for (const Hoisted& hoisted : group) {
      const StatedPackage& stated = hoisted.copies.front()->package->stated;
      add_change(advice, {line, fmt::format("install {} {} here", stated.name, stated.version), stated.name, "",
                          stated.version});
    }
    for (const Hoisted& hoisted : group) {
      for (const auto& [blob, copy] : hoisted.blobs) {
        const StatedPackage& stated = copy->package->stated;
        add_change(advice, {*fleet_.line_of(*copy),
                            fmt::format("leave {} {} out: the base has it", stated.name, stated.version), stated.name,
                            stated.version, ""});
      }
    }
  }

  const AdvisedFleet& fleet_;
  std::size_t base_;
  std::vector<std::size_t> children_;
  std::set<std::string> in_base_;
  // What the same layers bring is one change.
  std::map<std::pair<Ecosystem, std::vector<std::size_t>>, std::vector<Hoisted>> groups_;
};

}  // namespace

std::vector<Advice> advice_to_hoist(const AdvisedFleet& fleet) {
  std::map<std::size_t, std::vector<std::size_t>> children;
  for (std::size_t image = 0; image < fleet.images().size(); ++image) {
    if (const auto base = fleet.base_of(image)) children[*base].push_back(image);
  }
  std::map<std::size_t, Hoisting> bases;
  for (auto& [base, images] : children) {
    if (images.size() > 1) bases.emplace(base, Hoisting(fleet, base, std::move(images)));
  }
  for (const auto& [identity, copies] : fleet.packages()) {
    std::map<std::size_t, std::vector<const PackageCopy*>> by_base;
    for (const PackageCopy& copy : copies) {
      if (const auto base = fleet.base_of(copy.image)) by_base[*base].push_back(&copy);
    }
    for (const auto& [base, of_base] : by_base) {
      if (const auto found = bases.find(base); found != bases.end()) found->second.take(of_base);
    }
  }
  std::vector<Advice> advice;
  for (auto& [base, hoisting] : bases) hoisting.finish(advice);
  return advice;
}

}  // namespace kiln
