#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/join_first.hpp"
#include "base/text.hpp"
#include "builder/packages/advised_fleet.hpp"
#include "builder/packages/version_order.hpp"

namespace kiln {

namespace {

constexpr std::size_t kNamedDoubles = 4;

// A package of one layer that higher layers hide.
struct Covered {
  const HiddenPackage* hidden = nullptr;
  std::uint64_t bytes = 0;  // compressed, of the hidden copy
  bool is_share = false;
  std::map<std::size_t, const PackageCopy*> replaced;  // what each image sees instead, by image
  std::map<std::size_t, std::size_t> removed;          // by image, the layer that does it
};

class Covering {
 public:
  explicit Covering(const AdvisedFleet& fleet) : fleet_(fleet) {
    for (const auto& [identity, copies] : fleet.packages()) {
      for (const PackageCopy& copy : copies) seen_.emplace(std::pair(copy.image, identity), &copy);
    }
    for (std::size_t image = 0; image < fleet.images().size(); ++image) collect(image);
  }

  std::vector<Advice> run() {
    std::vector<Advice> advice;
    for (const auto& [key, covered] : covered_) add_replaced(advice, key.first, covered);
    for (const auto& [key, covered] : covered_) add_removed(advice, key.first, covered);
    return advice;
  }

 private:
  void collect(std::size_t image) {
    const AdvisedImage& advised = fleet_.images()[image];
    std::map<std::size_t, std::size_t> in_layer;
    for (const Package& package : advised.packages.packages) ++in_layer[package.layer];
    for (const HiddenPackage& hidden : advised.hidden) ++in_layer[hidden.layer];
    for (const HiddenPackage& hidden : advised.hidden) {
      const std::size_t number = fleet_.blob_number(image, hidden.layer);
      const AdvisedFleet::Blob& blob = fleet_.blobs()[number];
      const std::string identity = identity_of(hidden.stated, hidden.location);
      Covered& covered = covered_[{number, identity}];
      const bool is_whole = blob.origin.is_cut && in_layer[hidden.layer] == 1;
      covered.hidden = &hidden;
      covered.bytes = is_whole ? blob.bytes : hidden.compressed_bytes;
      covered.is_share = !is_whole;
      const auto above = seen_.find({image, identity});
      if (above != seen_.end() && above->second->package->layer > hidden.layer) {
        covered.replaced.emplace(image, above->second);
      } else {
        covered.removed.emplace(image, hidden.hidden_by);
      }
    }
  }

  static Advice begin(const Covered& covered) {
    Advice advice;
    advice.kind = Advice::Kind::twice;
    advice.packages = {covered.hidden->stated.name};
    advice.is_share = covered.is_share;
    return advice;
  }

  std::string shown_line(std::size_t blob) const {
    const std::optional<StepLine>& line = fleet_.blobs()[blob].origin.line;
    return line ? fmt::format("{}:{}", line->file, line->line) : "the base image";
  }

  void add_replaced(std::vector<Advice>& list, std::size_t lower, const Covered& covered) const {
    const StatedPackage& stated = covered.hidden->stated;
    const PackageCopy* newest = nullptr;
    for (const auto& [image, copy] : covered.replaced) {
      const bool is_newer = newest == nullptr || is_older_version(stated.ecosystem, newest->package->stated.version,
                                                                  copy->package->stated.version);
      if (is_newer) newest = copy;
    }
    if (newest == nullptr) return;
    const std::string& version = newest->package->stated.version;
    std::map<std::size_t, const PackageCopy*> uppers;  // by blob
    std::uint64_t kept = 0, all = 0;
    for (const auto& [image, copy] : covered.replaced) {
      const bool is_this = copy->package->stated.version == version && fleet_.line_of(*copy);
      if (!is_this || !uppers.emplace(copy->blob, copy).second) continue;
      kept = std::max(kept, copy->bytes);
      all += copy->bytes;
    }
    if (uppers.empty()) return;
    Advice advice = begin(covered);
    const auto saved_below = signed_bytes(covered.bytes) - signed_bytes(kept);
    advice.fleet_bytes = saved_below + signed_bytes(all);
    advice.update_bytes = signed_bytes(covered.bytes);
    for (const std::size_t image : fleet_.blobs()[lower].images) {
      const auto above = covered.replaced.find(image);
      const bool goes = above != covered.replaced.end() && uppers.contains(above->second->blob);
      fleet_.add_saving(advice, image, saved_below + (goes ? signed_bytes(above->second->bytes) : 0));
    }
    advice.title = fmt::format("{} {} of {} is hidden by {} of {}", stated.name, stated.version, shown_line(lower),
                               version, shown_line(uppers.begin()->first));
    const std::optional<StepLine>& below = fleet_.blobs()[lower].origin.line;
    if (below) {
      advice.changes.push_back({*below, fmt::format("install {} {}, not {}", stated.name, version, stated.version),
                                stated.name, stated.version, version});
    }
    std::set<StepLine> told;
    for (const auto& [blob, copy] : uppers) {
      const StepLine& line = *fleet_.line_of(*copy);
      if (!told.insert(line).second) continue;
      advice.changes.push_back({line,
                                below ? fmt::format("leave {} {} out: the layers below have it", stated.name, version)
                                      : fmt::format("take a base image that has {} {}, or leave its {} as it is",
                                                    stated.name, version, stated.version),
                                stated.name, version, ""});
    }
    list.push_back(std::move(advice));
  }

  void add_removed(std::vector<Advice>& list, std::size_t lower, const Covered& covered) const {
    const std::optional<StepLine>& below = fleet_.blobs()[lower].origin.line;
    const bool is_nowhere_seen = covered.removed.size() == fleet_.blobs()[lower].images.size();
    if (!below || !is_nowhere_seen) return;
    Advice advice = begin(covered);
    advice.fleet_bytes = advice.update_bytes = signed_bytes(covered.bytes);
    for (const auto& [image, layer] : covered.removed) fleet_.add_saving(advice, image, advice.fleet_bytes);
    const auto& [image, layer] = *covered.removed.begin();
    const StatedPackage& stated = covered.hidden->stated;
    const std::string remover = shown_line(fleet_.blob_number(image, layer));
    advice.title = fmt::format("{} {} of {} is removed by {}", stated.name, stated.version, shown_line(lower), remover);
    advice.changes.push_back({*below, fmt::format("leave {} out, or remove it in the same line", stated.name),
                              stated.name, stated.version, ""});
    list.push_back(std::move(advice));
  }

  const AdvisedFleet& fleet_;
  std::map<std::pair<std::size_t, std::string>, const PackageCopy*> seen_;  // by image and identity
  std::map<std::pair<std::size_t, std::string>, Covered> covered_;          // by blob and identity
};

bool is_site_folder(std::string_view folder) {
  const std::string_view name = base_name(folder);
  return name == "site-packages" || name == "dist-packages";
}

// Distributions that an image has in two folders where Python looks for them: what the higher layer brings, by its
// layer and the two folders.
class TwoFolders {
 public:
  explicit TwoFolders(const AdvisedFleet& fleet) : fleet_(fleet) {
    std::map<std::pair<std::size_t, std::string>, std::vector<const PackageCopy*>> by_name;
    for (const auto& [identity, copies] : fleet.packages()) {
      for (const PackageCopy& copy : copies) {
        const Package& package = *copy.package;
        const bool counts =
            package.stated.ecosystem == Ecosystem::pypi && copy.bytes > 0 && is_site_folder(folder_of(copy));
        if (counts) by_name[{copy.image, compared_name(package.stated)}].push_back(&copy);
      }
    }
    for (auto& [key, copies] : by_name) {
      if (copies.size() > 1) add(std::move(copies));
    }
  }

  std::vector<Advice> run() const {
    std::vector<Advice> list;
    for (const auto& [key, group] : groups_) list.push_back(advice_of(group));
    return list;
  }

 private:
  struct Second {
    const PackageCopy* first = nullptr;
    const PackageCopy* copy = nullptr;
  };
  using Group = std::map<std::string, std::vector<Second>>;  // by name, for each image

  static std::string folder_of(const PackageCopy& copy) {
    return place_of(copy.package->stated.ecosystem, copy.package->locations.front());
  }

  void add(std::vector<const PackageCopy*> copies) {
    std::stable_sort(copies.begin(), copies.end(), [](const PackageCopy* a, const PackageCopy* b) {
      return std::pair(a->package->layer, b->bytes) < std::pair(b->package->layer, a->bytes);
    });
    const Second second{copies.front(), copies.back()};
    if (!fleet_.line_of(*second.copy)) return;
    groups_[{second.copy->blob, folder_of(*second.first), folder_of(*second.copy)}]
           [compared_name(second.copy->package->stated)]
               .push_back(second);
  }

  Advice advice_of(const Group& group) const {
    Advice advice;
    advice.kind = Advice::Kind::twice;
    std::vector<std::string> shown;
    for (const auto& [name, seconds] : group) {
      const StatedPackage& stated = seconds.front().copy->package->stated;
      shown.push_back(fmt::format("{} {}", stated.name, stated.version));
      advice.packages.push_back(stated.name);
      advice.fleet_bytes += signed_bytes(seconds.front().copy->bytes);
      for (const Second& second : seconds) {
        advice.is_share = advice.is_share || second.copy->is_share;
        fleet_.add_saving(advice, second.copy->image, signed_bytes(second.copy->bytes));
      }
      advice.changes.push_back({*fleet_.line_of(*seconds.front().copy),
                                fmt::format("leave {} out: /{} has {}", stated.name, folder_of(*seconds.front().first),
                                            seconds.front().first->package->stated.version),
                                stated.name, stated.version, ""});
    }
    advice.update_bytes = advice.fleet_bytes;
    const Second& any = group.begin()->second.front();
    advice.title = fmt::format("{}: in /{} and in /{} of {}", join_first(shown, kNamedDoubles), folder_of(*any.first),
                               folder_of(*any.copy), fleet_.images()[any.copy->image].names.front());
    return advice;
  }

  const AdvisedFleet& fleet_;
  std::map<std::tuple<std::size_t, std::string, std::string>, Group> groups_;
};

}  // namespace

std::vector<Advice> advice_on_doubles(const AdvisedFleet& fleet) {
  std::vector<Advice> advice = Covering(fleet).run();
  for (Advice& more : TwoFolders(fleet).run()) advice.push_back(std::move(more));
  return advice;
}

}  // namespace kiln
