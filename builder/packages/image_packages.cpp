#include "builder/packages/image_packages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/text.hpp"
#include "builder/packages/database_search.hpp"
#include "builder/packages/databases.hpp"
#include "builder/packages/file_owners.hpp"
#include "builder/packages/go_build_info.hpp"
#include "builder/packages/language_packages.hpp"
#include "builder/packages/layer_density.hpp"

namespace kiln {

namespace {

std::uint64_t rounded(double bytes) { return static_cast<std::uint64_t>(std::llround(bytes)); }

// One mention of a package in a database.
struct Mention {
  StatedPackage stated;
  std::string location;  // as it is asked for
  std::size_t layer = 0;
};

class Reading : private PackageSource {
 public:
  Reading(const ImageFiles& image, const ReadLayerFiles& read)
      : image_(image), read_(read), files_(find_databases(image.view, notes_)), owners_(image.view) {
    std::map<std::size_t, std::set<std::string>> wanted;
    for (const DatabaseFile& file : files_) wanted[file.layer].insert(file.stored_path);
    for (const auto& [layer, paths] : wanted) texts_[layer] = read(layer, paths);
  }

  ImagePackages run(FileList files) {
    ImagePackages result;
    result.distribution = distribution_of(os_release());
    // Packages of the system first: files belong to who claims them first.
    read_dpkg();
    read_apk();
    read_language_packages(*this, owners_, notes_);
    owners_.claim_bytecode();
    read_programs();
    result.layers = layers();
    result.packages = packages(result);
    if (files == FileList::all) result.files = all_files();
    result.notes = notes_.all();
    return result;
  }

 private:
  std::string os_release() const {
    try {
      for (const char* path : {"etc/os-release", "usr/lib/os-release"}) {
        if (auto text = image_.view.kept_text(path)) return *text;
      }
    } catch (const Error&) {
      // Too large to be one.
    }
    return {};
  }

  const std::string* text_of(const DatabaseFile& file) const {
    const auto layer = texts_.find(file.layer);
    if (layer == texts_.end()) return nullptr;
    const auto found = layer->second.find(file.stored_path);
    return found == layer->second.end() ? nullptr : &found->second;
  }

  void each(DatabaseKind kind, const Visit& visit) override {
    for (const DatabaseFile& file : files_) {
      if (file.kind != kind) continue;
      const std::string* text = text_of(file);
      if (text != nullptr) {
        visited_ = &file;
        visit(file.path, *text);
      } else {
        notes_.add(fmt::format("'{}': could not be read from its layer", printable(file.path)));
      }
    }
  }

  std::optional<std::size_t> add(StatedPackage stated, const std::string& path) override {
    const std::size_t number = mentions_.size();
    if (!mention(std::move(stated), visited_->path, visited_->layer)) return std::nullopt;
    const auto owner = owners_.owner_of(path);
    // Environments of conda are systems, too.
    const auto is_systems = [&](std::size_t of) { return mentions_[of].stated.ecosystem <= Ecosystem::conda; };
    if (owner && is_systems(*owner) && !is_systems(number)) system_owners_.emplace(number, *owner);
    return number;
  }

  bool mention(StatedPackage stated, const std::string& location, std::size_t layer) {
    if (mentions_.size() == kMaxPackages) notes_.add(fmt::format("more than {} packages", kMaxPackages));
    if (mentions_.size() >= kMaxPackages) return false;
    mentions_.push_back({std::move(stated), location, layer});
    return true;
  }

  void read_dpkg() {
    std::map<std::string, const DatabaseFile*> lists;
    for (const DatabaseFile& file : files_) {
      if (file.kind == DatabaseKind::dpkg_list || file.kind == DatabaseKind::dpkg_sums ||
          file.kind == DatabaseKind::debian_copyright)
        lists.emplace(file.path, &file);
    }
    const auto add_listed = [&](StatedPackage& package, std::initializer_list<std::string> names) {
      const auto copyright = lists.find("usr/share/doc/" + package.name + "/copyright");
      if (copyright != lists.end()) {
        if (const std::string* text = text_of(*copyright->second)) package.licence = read_debian_copyright(*text);
      }
      const std::size_t number = mentions_.size();
      if (!mention(package, visited_->path, visited_->layer)) return;
      for (const std::string& name : names) {
        const auto list = lists.find(name);
        const std::string* text = list == lists.end() ? nullptr : text_of(*list->second);
        if (text == nullptr) continue;
        const bool is_list = list->second->kind == DatabaseKind::dpkg_list;
        if (is_list) mentions_[number].layer = list->second->layer;
        for (const std::string& path : is_list ? read_dpkg_list(*text) : read_md5sums(*text))
          owners_.claim("", path, number);
        break;
      }
    };
    each(DatabaseKind::dpkg_status, [&](const std::string& path, const std::string& text) {
      for (StatedPackage& package : read_dpkg_status(text, path, notes_)) {
        const std::string info = "var/lib/dpkg/info/" + package.name;
        add_listed(package, {info + ".list", info + ":" + package.architecture + ".list"});
      }
    });
    each(DatabaseKind::dpkg_status_part, [&](const std::string& path, const std::string& text) {
      for (StatedPackage& package : read_dpkg_status(text, path, notes_)) add_listed(package, {path + ".md5sums"});
    });
  }

  // The databases of all layers, from the bottom: a package came with the first of those that have it in this version
  // up to the top.
  void read_apk() {
    std::map<std::string, std::map<std::pair<std::string, std::string>, std::size_t>> came;  // by database
    std::map<std::string, std::pair<const DatabaseFile*, std::vector<ApkPackage>>> top;
    each(DatabaseKind::apk_installed, [&](const std::string& path, const std::string& text) {
      auto packages = read_apk_installed(text, path, notes_);
      auto& before = came[path];
      std::map<std::pair<std::string, std::string>, std::size_t> now;
      for (const ApkPackage& package : packages) {
        const std::pair key(package.stated.name, package.stated.version);
        const auto known = before.find(key);
        now.emplace(key, known == before.end() ? visited_->layer : known->second);
      }
      before = std::move(now);
      top[path] = {visited_, std::move(packages)};
    });
    for (const auto& [path, database] : top) {
      for (const ApkPackage& package : database.second) {
        const std::size_t number = mentions_.size();
        if (!mention(package.stated, database.first->path, database.first->layer)) return;
        mentions_[number].layer = came[path].at({package.stated.name, package.stated.version});
        for (const std::string& file : package.files) owners_.claim("", file, number);
      }
    }
  }

  // Those that no package brought: of the others the package is named.
  std::map<std::size_t, std::vector<MergedView::Found>> programs() {
    std::map<std::size_t, std::vector<MergedView::Found>> found;  // by layer
    std::uint64_t bytes = 0;
    image_.view.walk("", [&](const MergedView::Found& file) {
      if (file.implied || file.entry->type != EntryType::file || (file.entry->mode & 0111) == 0) return true;
      const std::uint64_t size = file.entry->size;
      const bool is_library = base_name(file.path).find(".so") != std::string_view::npos;
      if (is_library || size < kMinProgramBytes || owners_.owner_of(file.path)) return true;
      if (size > kMaxProgramBytes || size > kMaxReadBytes - bytes) {
        notes_.add(fmt::format("'{}': not looked into; programs of an image are, up to {} each and {} together",
                               printable(file.path), human_bytes(kMaxProgramBytes), human_bytes(kMaxReadBytes)));
        return true;
      }
      bytes += size;
      found[file.layer].push_back(file);
      return true;
    });
    return found;
  }

  // A program belongs to the first of the modules that it was made of.
  void read_programs() {
    for (const auto& [layer, files] : programs()) {
      std::set<std::string> paths;
      for (const MergedView::Found& file : files) paths.insert(file.entry->path);
      const std::map<std::string, std::string> texts = read_(layer, paths);
      for (const MergedView::Found& file : files) {
        const auto text = texts.find(file.entry->path);
        if (text == texts.end()) {
          notes_.add(fmt::format("'{}': could not be read from its layer", printable(file.path)));
          continue;
        }
        const std::size_t first = mentions_.size();
        for (StatedPackage& module : read_go_build_info(text->second, file.path, notes_))
          mention(std::move(module), file.path, layer);
        if (mentions_.size() > first) owners_.claim("", file.path, first);
      }
    }
  }

  std::vector<PackageLayer> layers() const {
    std::vector<std::string> created_by;
    for (const oci::HistoryEntry& entry : image_.history) {
      if (!entry.empty_layer) created_by.push_back(oci::instruction_of(entry));
    }
    created_by.resize(created_by.size() == image_.blobs.size() ? created_by.size() : 0);
    std::vector<PackageLayer> layers;
    for (std::size_t i = 0; i < image_.blobs.size(); ++i) {
      const FileIndex& index = *image_.view.layers()[i];
      layers.push_back(
          {image_.blobs[i], index.diff_id(), created_by.empty() ? "" : created_by[i], index.unpacked_bytes(), 0, 0});
    }
    return layers;
  }

  // Of a mention's files.
  struct Share {
    std::uint64_t files = 0;
    std::uint64_t unpacked_bytes = 0;
    double compressed_bytes = 0;
  };

  std::vector<Share> count_shares(ImagePackages& image) const {
    std::vector<Share> shares(mentions_.size());
    for (std::size_t layer = 0; layer < image.layers.size(); ++layer) {
      PackageLayer& of = image.layers[layer];
      const FileIndex& index = *image_.view.layers()[layer];
      const LayerDensity density(index, of.blob);
      std::uint64_t offset = 0;
      double compressed_bytes = 0;
      for (const FileEntry& entry : index.entries()) {
        const std::uint64_t bytes = FileOwners::tar_bytes(entry);
        if (const auto owner = owners_.owner_of(entry.path, layer)) {
          const double compressed = density.compressed_bytes(offset, bytes);
          Share& share = shares[*owner];
          ++share.files;
          share.unpacked_bytes += bytes;
          share.compressed_bytes += compressed;
          of.packaged_bytes += bytes;
          compressed_bytes += compressed;
        }
        offset += bytes;
      }
      of.packaged_compressed_bytes = rounded(compressed_bytes);
    }
    return shares;
  }

  std::vector<Package> packages(ImagePackages& image) {
    const std::vector<Share> shares = count_shares(image);
    std::map<std::pair<std::string, std::size_t>, Package> found;
    std::vector<const Package*> packages_of_mentions;
    for (std::size_t number = 0; number < mentions_.size(); ++number) {
      const Mention& mention = mentions_[number];
      const std::string purl = package_url(mention.stated, image.distribution);
      Package& package = found[{purl, mention.layer}];
      if (package.purl.empty()) {
        package.stated = mention.stated;
        package.purl = purl;
        package.layer = mention.layer;
        const auto owner = system_owners_.find(number);
        if (owner != system_owners_.end())
          package.part_of = package_url(mentions_[owner->second].stated, image.distribution);
      }
      packages_of_mentions.push_back(&package);
      package.locations.push_back(mention.location);
      package.files += shares[number].files;
      package.unpacked_bytes += shares[number].unpacked_bytes;
      package.compressed_bytes += rounded(shares[number].compressed_bytes);
    }
    std::vector<Package> list;
    std::map<const Package*, std::size_t> numbers;
    for (auto& [key, package] : found) {
      numbers.emplace(&package, numbers.size());
      std::sort(package.locations.begin(), package.locations.end());
      list.push_back(std::move(package));
    }
    for (const Package* package : packages_of_mentions) package_numbers_.push_back(numbers.at(package));
    return list;
  }

  std::vector<PackagedFile> all_files() const {
    std::vector<PackagedFile> files;
    image_.view.walk("", [&](const MergedView::Found& found) {
      if (found.implied || found.entry->content.empty()) return true;
      PackagedFile& file = files.emplace_back(PackagedFile{found.path, found.entry->content, found.layer, {}});
      if (const auto owner = owners_.owner_of(found.entry->path, found.layer)) file.package = package_numbers_[*owner];
      return true;
    });
    std::sort(files.begin(), files.end(), [](const PackagedFile& a, const PackagedFile& b) { return a.path < b.path; });
    return files;
  }

  const ImageFiles& image_;
  const ReadLayerFiles& read_;
  PackageNotes notes_;
  std::vector<DatabaseFile> files_;
  FileOwners owners_;
  std::map<std::size_t, std::map<std::string, std::string>> texts_;
  const DatabaseFile* visited_ = nullptr;
  std::vector<Mention> mentions_;
  std::map<std::size_t, std::size_t> system_owners_;  // by what they brought
  std::vector<std::size_t> package_numbers_;          // of mentions_, in the result
};

}  // namespace

std::uint64_t PackageLayer::other_unpacked_bytes() const {
  // Files with holes are shorter in the tar than they are.
  return unpacked_bytes - std::min(unpacked_bytes, packaged_bytes);
}

std::uint64_t PackageLayer::other_compressed_bytes() const {
  return blob.size - std::min(blob.size, packaged_compressed_bytes);
}

ImagePackages packages_of(const ImageFiles& image, const ReadLayerFiles& read, FileList files) {
  return Reading(image, read).run(files);
}

}  // namespace kiln
