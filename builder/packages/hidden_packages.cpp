#include "builder/packages/hidden_packages.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "builder/packages/database_search.hpp"
#include "builder/packages/diff_packages.hpp"
#include "builder/packages/file_owners.hpp"
#include "builder/packages/layer_density.hpp"

namespace kiln {

namespace {

constexpr std::string_view kSystemDatabase = "var/lib/dpkg";

// Whether packages_of_diff() may ask for the file.
bool states_packages(const FileEntry& entry) {
  if (entry.type != EntryType::file) return false;
  return entry.path == join_path(kSystemDatabase, "status") ||
         parent_path(entry.path) == join_path(kSystemDatabase, "info") || database_kind_by_name(entry.path).has_value();
}

// The lowest layer above that has something at the path or removes what is there; `layer` where none does.
std::size_t hiding_layer(const MergedView& view, std::string_view path, std::size_t layer) {
  for (std::size_t above = layer + 1; above < view.layers().size(); ++above) {
    const FileIndex& index = *view.layers()[above];
    if (index.find(path) != nullptr) return above;
    for (std::string_view folder = parent_path(path); !folder.empty(); folder = parent_path(folder)) {
      const FileEntry* entry = index.find(folder);
      if (index.is_opaque(folder) || (entry != nullptr && !entry->is_directory())) return above;
    }
  }
  return layer;
}

class LayerLook {
 public:
  LayerLook(const ImageFiles& image, std::size_t layer) : image_(image), layer_(layer) {}

  bool is_hidden(const FileEntry& entry) const {
    const auto found = image_.view.lookup(entry.path);
    return !found || found->implied || found->layer != layer_;
  }

  // What states a package and is hidden. dpkg's status is written again by every step that installs something.
  bool any_hidden() const {
    const std::vector<FileEntry>& entries = image_.view.layers()[layer_]->entries();
    return std::any_of(entries.begin(), entries.end(), [&](const FileEntry& entry) {
      return entry.path != join_path(kSystemDatabase, "status") && states_packages(entry) && is_hidden(entry);
    });
  }

  std::vector<HiddenPackage> find(const ReadLayerFiles& read) const {
    const FileIndex& index = *image_.view.layers()[layer_];
    std::set<std::string> wanted;
    for (const FileEntry& entry : index.entries()) {
      const bool is_small = entry.size <= kMaxPackageFileBytes || entry.path == join_path(kSystemDatabase, "status");
      if (states_packages(entry) && is_small) wanted.insert(entry.path);
    }
    const std::map<std::string, std::string> texts = read(layer_, wanted);
    const auto& layers = image_.view.layers();
    const MergedView below({layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(layer_)});
    const DiffPackages installed =
        packages_of_diff(index.entries(), below, [&](const std::string& path) -> std::optional<std::string> {
          const auto text = texts.find(path);
          return text == texts.end() ? std::nullopt : std::optional(text->second);
        });
    struct Share {
      std::uint64_t unpacked_bytes = 0;
      double compressed_bytes = 0;
    };
    std::vector<Share> shares(installed.packages.size());
    const LayerDensity density(index, image_.blobs[layer_]);
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < index.entries().size(); ++i) {
      const FileEntry& entry = index.entries()[i];
      const std::uint64_t bytes = FileOwners::tar_bytes(entry);
      if (installed.owners[i] && is_hidden(entry)) {
        shares[*installed.owners[i]].unpacked_bytes += bytes;
        shares[*installed.owners[i]].compressed_bytes += density.compressed_bytes(offset, bytes);
      }
      offset += bytes;
    }
    std::vector<HiddenPackage> hidden;
    for (std::size_t number = 0; number < installed.packages.size(); ++number) {
      const DiffPackage& package = installed.packages[number];
      const FileEntry* statement = index.find(package.location);
      if (statement == nullptr || !is_hidden(*statement)) continue;
      hidden.push_back({package.stated, package.location, layer_, hiding_layer(image_.view, package.location, layer_),
                        shares[number].unpacked_bytes,
                        static_cast<std::uint64_t>(std::llround(shares[number].compressed_bytes))});
    }
    return hidden;
  }

 private:
  const ImageFiles& image_;
  std::size_t layer_;
};

}  // namespace

std::vector<HiddenPackage> hidden_packages(const ImageFiles& image, const ReadLayerFiles& read) {
  std::vector<HiddenPackage> hidden;
  for (std::size_t layer = 0; layer < image.view.layers().size(); ++layer) {
    const LayerLook look(image, layer);
    if (!look.any_hidden()) continue;
    std::vector<HiddenPackage> found = look.find(read);
    hidden.insert(hidden.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return hidden;
}

}  // namespace kiln
