#include "builder/packages/layer_cut.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/join_first.hpp"
#include "base/text.hpp"
#include "builder/packages/file_owners.hpp"
#include "builder/packages/package_url.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr std::size_t kNamedOfPool = 3;

// Where an entry goes, in the order of layers: what is removed, packages, pools, the rest.
struct PartKey {
  enum class Kind : std::uint8_t { removed, package, pool, rest };
  Kind kind = Kind::rest;
  std::size_t place = 0;  // of a package its rank, of a pool its ecosystem's and its own number

  auto operator<=>(const PartKey&) const = default;
};

std::string name_and_version(const StatedPackage& package) {
  return printable(fmt::format("{} {}", package.name, package.version));
}

// The package of each entry, once all names of a file are brought together.
std::vector<std::optional<std::size_t>> owners_with_links(const std::vector<FileEntry>& diff,
                                                          const DiffPackages& found) {
  std::vector<std::optional<std::size_t>> owners = found.owners;
  struct LinkedFile {
    std::vector<std::size_t> entries;
    std::optional<std::size_t> owner;
    bool is_of_several = false;
  };
  std::map<std::string_view, LinkedFile> files;  // by their first names, of files that have others
  for (const FileEntry& entry : diff) {
    if (entry.type == EntryType::hardlink) files[entry.link];
  }
  if (files.empty()) return owners;
  for (std::size_t i = 0; i < diff.size(); ++i) {
    const bool is_link = diff[i].type == EntryType::hardlink;
    if (!is_link && diff[i].type != EntryType::file) continue;
    const auto file = files.find(is_link ? diff[i].link : diff[i].path);
    if (file == files.end()) continue;
    LinkedFile& names = file->second;
    names.entries.push_back(i);
    if (!owners[i]) continue;
    if (names.owner && names.owner != owners[i]) names.is_of_several = true;
    names.owner = owners[i];
  }
  for (const auto& [path, names] : files) {
    for (const std::size_t i : names.entries) owners[i] = names.is_of_several ? std::nullopt : names.owner;
  }
  return owners;
}

class Cutter {
 public:
  Cutter(const std::vector<FileEntry>& diff, const DiffPackages& found)
      : diff_(diff), packages_(found.packages), owners_(owners_with_links(diff, found)), bytes_(packages_.size()) {
    for (std::size_t i = 0; i < diff_.size(); ++i) {
      const FileEntry& entry = diff_[i];
      if (entry.type == EntryType::whiteout || entry.type == EntryType::opaque) {
        has_marks_ = true;
      } else if (owners_[i]) {
        bytes_[*owners_[i]] += FileOwners::tar_bytes(entry);
      } else if (!entry.is_directory()) {
        has_rest_ = true;
      }
    }
    for (std::size_t i = 0; i < packages_.size(); ++i) pools_.push_back(pool_of(packages_[i].stated));
    rank_packages();
    find_lone_folders();
  }

  bool has_packages() const {
    return std::any_of(bytes_.begin(), bytes_.end(), [](std::uint64_t bytes) { return bytes > 0; });
  }
  std::uint64_t largest() const { return *std::max_element(bytes_.begin(), bytes_.end()); }

  void set(std::uint64_t own_layer_bytes, std::size_t pools) {
    own_layer_bytes_ = own_layer_bytes;
    pool_count_ = pools;
  }

  std::size_t count_layers() const {
    std::set<PartKey> keys;
    for (std::size_t package = 0; package < packages_.size(); ++package) {
      if (bytes_[package] > 0) keys.insert(key_of_package(package));
    }
    return keys.size() + (has_marks_ ? 1 : 0) + (has_rest_ ? 1 : 0);
  }

  std::vector<LayerPart> parts() const {
    std::map<PartKey, LayerPart> parts;
    for (std::size_t i = 0; i < diff_.size(); ++i) {
      if (const auto key = key_of_entry(i)) parts[*key].entries.push_back(i);
    }
    std::vector<LayerPart> list;
    for (auto& [key, part] : parts) {
      part.contents = contents_of(key);
      add_folders(part.entries);
      list.push_back(std::move(part));
    }
    return list;
  }

 private:
  // Larger ones first, by powers of two; then by ecosystem and name.
  void rank_packages() {
    std::vector<std::size_t> order(packages_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto sorted_by = [&](std::size_t i) {
      const DiffPackage& package = packages_[i];
      return std::tuple(-static_cast<int>(std::bit_width(bytes_[i])), package.stated.ecosystem,
                        compared_name(package.stated), std::tie(package.stated.version, package.location));
    };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sorted_by(a) < sorted_by(b); });
    ranks_.resize(order.size());
    for (std::size_t rank = 0; rank < order.size(); ++rank) ranks_[order[rank]] = rank;
  }

  // Folders that nothing of the diff is below but other folders: what they say would be in no layer otherwise.
  void find_lone_folders() {
    is_lone_.resize(diff_.size(), false);
    for (std::size_t i = 0; i < diff_.size(); ++i) {
      if (!diff_[i].is_directory()) continue;
      folders_.emplace(diff_[i].path, i);
      is_lone_[i] = true;
    }
    for (const FileEntry& entry : diff_) {
      if (entry.is_directory()) continue;
      // A mark stands beside its folder's own entry.
      for (std::string_view path = entry.type == EntryType::opaque ? entry.path : parent_path(entry.path);
           !path.empty(); path = parent_path(path)) {
        const auto folder = folders_.find(path);
        if (folder == folders_.end()) continue;
        if (!is_lone_[folder->second]) break;
        is_lone_[folder->second] = false;
      }
    }
    for (const bool is_lone : is_lone_) has_rest_ = has_rest_ || is_lone;
  }

  PartKey key_of_package(std::size_t package) const {
    if (bytes_[package] > own_layer_bytes_) return {PartKey::Kind::package, ranks_[package]};
    const auto ecosystem = static_cast<std::size_t>(packages_[package].stated.ecosystem);
    return {PartKey::Kind::pool, ecosystem * kPools + pools_[package] % pool_count_};
  }

  // nullopt for folders that come along with what is below them.
  std::optional<PartKey> key_of_entry(std::size_t i) const {
    switch (diff_[i].type) {
      case EntryType::whiteout:
      case EntryType::opaque:
        return PartKey{PartKey::Kind::removed, 0};
      case EntryType::directory:
        if (!is_lone_[i]) return std::nullopt;
        break;
      default:
        if (owners_[i]) return key_of_package(*owners_[i]);
    }
    return PartKey{PartKey::Kind::rest, 0};
  }

  void add_folders(std::vector<std::size_t>& entries) const {
    std::vector<std::size_t> all;
    std::vector<std::size_t> open;  // folders above the entry before, from the top
    for (const std::size_t i : entries) {
      std::vector<std::size_t> above;
      for (std::string_view path = diff_[i].type == EntryType::opaque ? diff_[i].path : parent_path(diff_[i].path);
           !path.empty(); path = parent_path(path)) {
        const auto folder = folders_.find(path);
        if (folder != folders_.end()) above.push_back(folder->second);
      }
      std::reverse(above.begin(), above.end());
      std::size_t shared = 0;
      while (shared < std::min(above.size(), open.size()) && above[shared] == open[shared]) ++shared;
      all.insert(all.end(), above.begin() + static_cast<std::ptrdiff_t>(shared), above.end());
      all.push_back(i);
      open = std::move(above);
    }
    // A lone folder is an entry of the rest, and may be above another one.
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    entries = std::move(all);
  }

  std::string contents_of(const PartKey& key) const {
    if (key.kind == PartKey::Kind::removed) return "removed files";
    if (key.kind == PartKey::Kind::rest) return "the rest";
    std::vector<std::pair<std::string, std::string>> names;
    for (std::size_t package = 0; package < packages_.size(); ++package) {
      const StatedPackage& stated = packages_[package].stated;
      if (bytes_[package] > 0 && key_of_package(package) == key)
        names.emplace_back(compared_name(stated), name_and_version(stated));
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::vector<std::string> shown;
    for (const auto& [compared, name] : names) shown.push_back(name);
    return join_first(shown, kNamedOfPool);
  }

  const std::vector<FileEntry>& diff_;
  const std::vector<DiffPackage>& packages_;
  std::vector<std::optional<std::size_t>> owners_;
  std::vector<std::uint64_t> bytes_;  // of each package in a tar
  std::vector<std::size_t> pools_;
  std::vector<std::size_t> ranks_;
  std::unordered_map<std::string_view, std::size_t> folders_;
  std::vector<bool> is_lone_;
  bool has_marks_ = false;
  bool has_rest_ = false;
  std::uint64_t own_layer_bytes_ = kOwnLayerBytes;
  std::size_t pool_count_ = kPools;
};

LayerPart everything(const std::vector<FileEntry>& diff) {
  LayerPart part;
  for (std::size_t i = 0; i < diff.size(); ++i) part.entries.push_back(i);
  return part;
}

}  // namespace

std::size_t pool_of(const StatedPackage& package) {
  const std::string name = fmt::format("{}\n{}", to_string(package.ecosystem), compared_name(package));
  const std::string hex(oci::sha256_of(name).hex());
  return std::stoul(hex.substr(0, 8), nullptr, 16) % kPools;
}

LayerCut cut_layers(const std::vector<FileEntry>& diff, const DiffPackages& found, const CutRules& rules) {
  Cutter cutter(diff, found);
  if (!cutter.has_packages()) return {{everything(diff)}, rules.own_layer_bytes};
  std::optional<std::uint64_t> size = rules.own_layer_bytes;
  const auto fits = [&](std::uint64_t own_layer_bytes, std::size_t pools) {
    cutter.set(own_layer_bytes, pools);
    return cutter.count_layers() <= rules.most_layers;
  };
  while (size && !fits(*size, kPools)) size = cutter.largest() > *size ? std::optional(*size * 2) : std::nullopt;
  if (size) return {cutter.parts(), size};
  if (fits(std::numeric_limits<std::uint64_t>::max(), 1)) return {cutter.parts(), std::nullopt};
  return {{everything(diff)}, std::nullopt};
}

}  // namespace kiln
