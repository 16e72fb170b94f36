#include "builder/packages/image_packages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.hpp"
#include "builder/packages/database_search.hpp"
#include "builder/packages/databases.hpp"
#include "builder/packages/file_owners.hpp"

namespace kiln {

namespace {

// "share" of `whole` that `part` is of `all`, rounded down.
std::uint64_t share_of(std::uint64_t whole, std::uint64_t part, std::uint64_t all) {
  if (all == 0) return 0;
  const double share = static_cast<double>(whole) * (static_cast<double>(part) / static_cast<double>(all));
  return std::min(whole, static_cast<std::uint64_t>(share));
}

// One mention of a package in a database.
struct Mention {
  StatedPackage stated;
  std::string location;  // as it is asked for
  std::string stored;    // the file behind it
  std::size_t layer = 0;
};

class Reading {
 public:
  Reading(const ImageFiles& image, const ReadLayerFiles& read)
      : image_(image), files_(find_databases(image.view, notes_)), owners_(image.view) {
    std::map<std::size_t, std::set<std::string>> wanted;
    for (const DatabaseFile& file : files_) wanted[file.layer].insert(file.stored_path);
    for (const auto& [layer, paths] : wanted) texts_[layer] = read(layer, paths);
  }

  ImagePackages run() {
    ImagePackages result;
    result.distribution = distribution_of(os_release());
    // Packages of the system first: files belong to who claims them first.
    read_dpkg();
    read_apk();
    read_conda();
    const std::size_t of_system = mentions_.size();
    read_python();
    read_npm();
    owners_.claim_bytecode();
    result.layers = layers();
    result.packages = packages(result, of_system);
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

  // Calls `visit` with each file of a kind and its text; a note for one that could not be read.
  template <class Visit>
  void each(DatabaseKind kind, const Visit& visit) {
    for (const DatabaseFile& file : files_) {
      if (file.kind != kind) continue;
      const std::string* text = text_of(file);
      if (text != nullptr) {
        visit(file, *text);
      } else {
        notes_.add(fmt::format("'{}': could not be read from its layer", printable(file.path)));
      }
    }
  }

  bool mention(StatedPackage stated, const DatabaseFile& file) {
    if (mentions_.size() == kMaxPackages) notes_.add(fmt::format("more than {} packages", kMaxPackages));
    if (mentions_.size() >= kMaxPackages) return false;
    mentions_.push_back({std::move(stated), file.path, file.stored_path, file.layer});
    return true;
  }

  void read_dpkg() {
    std::map<std::string, const DatabaseFile*> lists;
    for (const DatabaseFile& file : files_) {
      if (file.kind == DatabaseKind::dpkg_list || file.kind == DatabaseKind::dpkg_sums ||
          file.kind == DatabaseKind::debian_copyright)
        lists.emplace(file.path, &file);
    }
    const auto add = [&](StatedPackage& package, const DatabaseFile& file, std::initializer_list<std::string> names) {
      const auto copyright = lists.find("usr/share/doc/" + package.name + "/copyright");
      if (copyright != lists.end()) {
        if (const std::string* text = text_of(*copyright->second)) package.licence = read_debian_copyright(*text);
      }
      const std::size_t number = mentions_.size();
      if (!mention(package, file)) return;
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
    each(DatabaseKind::dpkg_status, [&](const DatabaseFile& file, const std::string& text) {
      for (StatedPackage& package : read_dpkg_status(text, file.path, notes_)) {
        const std::string info = "var/lib/dpkg/info/" + package.name;
        add(package, file, {info + ".list", info + ":" + package.architecture + ".list"});
      }
    });
    each(DatabaseKind::dpkg_status_part, [&](const DatabaseFile& file, const std::string& text) {
      for (StatedPackage& package : read_dpkg_status(text, file.path, notes_))
        add(package, file, {file.path + ".md5sums"});
    });
  }

  // The databases of all layers, from the bottom: a package came with the first of those that have it in this version
  // up to the top.
  void read_apk() {
    std::map<std::string, std::map<std::pair<std::string, std::string>, std::size_t>> came;  // by database
    std::map<std::string, std::pair<const DatabaseFile*, std::vector<ApkPackage>>> top;
    each(DatabaseKind::apk_installed, [&](const DatabaseFile& file, const std::string& text) {
      auto packages = read_apk_installed(text, file.path, notes_);
      auto& before = came[file.path];
      std::map<std::pair<std::string, std::string>, std::size_t> now;
      for (const ApkPackage& package : packages) {
        const std::pair key(package.stated.name, package.stated.version);
        const auto known = before.find(key);
        now.emplace(key, known == before.end() ? file.layer : known->second);
      }
      before = std::move(now);
      top[file.path] = {&file, std::move(packages)};
    });
    for (const auto& [path, database] : top) {
      for (const ApkPackage& package : database.second) {
        const std::size_t number = mentions_.size();
        if (!mention(package.stated, *database.first)) return;
        mentions_[number].layer = came[path].at({package.stated.name, package.stated.version});
        for (const std::string& file : package.files) owners_.claim("", file, number);
      }
    }
  }

  void read_conda() {
    each(DatabaseKind::conda_package, [&](const DatabaseFile& file, const std::string& text) {
      for (CondaPackage& package : read_conda_package(text, file.path, notes_)) {
        const std::size_t number = mentions_.size();
        if (!mention(std::move(package.stated), file)) return;
        const std::string prefix(parent_path(parent_path(file.path)));
        owners_.claim("", file.path, number);
        for (const std::string& path : package.files) owners_.claim(prefix, path, number);
      }
    });
  }

  void read_python() {
    std::map<std::string, std::size_t> numbers;  // by folder
    each(DatabaseKind::python_metadata, [&](const DatabaseFile& file, const std::string& text) {
      for (StatedPackage& package : read_python_metadata(text, file.path, notes_)) {
        const std::size_t number = mentions_.size();
        if (!mention(std::move(package), file)) return;
        const bool is_folder = !file.path.ends_with(".egg-info");
        if (is_folder) numbers.emplace(parent_path(file.path), number);
        note_system_owner(number);
        owners_.claim_below(is_folder ? std::string(parent_path(file.path)) : file.path, "", number);
      }
    });
    each(DatabaseKind::python_record, [&](const DatabaseFile& file, const std::string& text) {
      const auto number = numbers.find(std::string(parent_path(file.path)));
      if (number == numbers.end()) return;
      const std::string site(parent_path(parent_path(file.path)));
      for (const std::string& path : read_python_record(text)) owners_.claim(site, path, number->second);
    });
  }

  void read_npm() {
    each(DatabaseKind::npm_manifest, [&](const DatabaseFile& file, const std::string& text) {
      for (StatedPackage& package : read_npm_manifest(text, file.path, notes_)) {
        const std::size_t number = mentions_.size();
        if (!mention(std::move(package), file)) return;
        note_system_owner(number);
        const std::string folder(parent_path(file.path));
        owners_.claim_below(folder, join_path(folder, "node_modules"), number);
      }
    });
  }

  void note_system_owner(std::size_t number) {
    if (const auto owner = owners_.owner_of(mentions_[number].location)) system_owners_.emplace(number, *owner);
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
          {image_.blobs[i], index.diff_id(), created_by.empty() ? "" : created_by[i], index.uncompressed_bytes(), 0});
    }
    return layers;
  }

  std::vector<Package> packages(ImagePackages& image, std::size_t of_system) const {
    const std::vector<FileOwners::Share> shares = owners_.shares(mentions_.size());
    std::map<std::pair<std::string, std::size_t>, Package> found;
    for (std::size_t number = 0; number < mentions_.size(); ++number) {
      const Mention& mention = mentions_[number];
      const std::string purl = package_url(mention.stated, image.distribution);
      Package& package = found[{purl, mention.layer}];
      if (package.purl.empty()) {
        package.stated = mention.stated;
        package.purl = purl;
        package.layer = mention.layer;
        const auto owner = system_owners_.find(number);
        if (owner != system_owners_.end() && owner->second < of_system)
          package.part_of = package_url(mentions_[owner->second].stated, image.distribution);
      }
      package.locations.push_back(mention.location);
      package.files += shares[number].files;
      for (const auto& [layer, bytes] : shares[number].bytes_of_layer) {
        PackageLayer& of = image.layers[layer];
        of.packaged_bytes += bytes;
        package.unpacked_bytes += bytes;
        package.compressed_bytes += share_of(of.blob.size, bytes, of.unpacked_bytes);
      }
    }
    std::vector<Package> list;
    for (auto& [key, package] : found) {
      std::sort(package.locations.begin(), package.locations.end());
      list.push_back(std::move(package));
    }
    return list;
  }

  const ImageFiles& image_;
  PackageNotes notes_;
  std::vector<DatabaseFile> files_;
  FileOwners owners_;
  std::map<std::size_t, std::map<std::string, std::string>> texts_;
  std::vector<Mention> mentions_;
  std::map<std::size_t, std::size_t> system_owners_;
};

}  // namespace

std::uint64_t PackageLayer::other_unpacked_bytes() const {
  // Files with holes are shorter in the tar than they are.
  return unpacked_bytes - std::min(unpacked_bytes, packaged_bytes);
}

std::uint64_t PackageLayer::other_compressed_bytes() const {
  return blob.size - share_of(blob.size, packaged_bytes, unpacked_bytes);
}

ImagePackages packages_of(const ImageFiles& image, const ReadLayerFiles& read) { return Reading(image, read).run(); }

}  // namespace kiln
