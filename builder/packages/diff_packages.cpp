#include "builder/packages/diff_packages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/text.hpp"
#include "builder/packages/database_search.hpp"
#include "builder/packages/databases.hpp"
#include "builder/packages/file_owners.hpp"
#include "builder/packages/language_packages.hpp"

namespace kiln {

namespace {

constexpr std::string_view kDpkgStatus = "var/lib/dpkg/status";
constexpr std::string_view kDpkgInfo = "var/lib/dpkg/info";

// An index has a digest of every file; what is in them is not asked of this one.
MergedView with_diff(const MergedView& below, std::vector<FileEntry> diff) {
  const oci::Digest unknown = oci::sha256_of({});
  for (FileEntry& entry : diff) {
    if (entry.type == EntryType::file && entry.content.empty()) entry.content = unknown;
  }
  FileIndex::Parts parts;
  parts.diff_id = unknown;
  parts.entries = std::move(diff);
  return below.with_layer(std::make_shared<const FileIndex>(std::move(parts)));
}

class DiffReading : private PackageSource {
 public:
  DiffReading(const std::vector<FileEntry>& diff, const MergedView& below, const ReadDiffFile& read)
      : diff_(diff), read_(read), view_(with_diff(below, diff)), owners_(FileOwners::of_top_layer(view_)) {
    for (const FileEntry& entry : diff_) {
      const bool is_file = entry.type == EntryType::file || entry.type == EntryType::hardlink;
      if (!is_file) continue;
      if (entry.path == kDpkgStatus) {
        files_[DatabaseKind::dpkg_status].push_back(&entry);
      } else if (parent_path(entry.path) == kDpkgInfo) {
        info_[std::string(stem_of(entry.path))].push_back(&entry);
      } else if (const auto kind = database_kind_by_name(entry.path)) {
        files_[*kind].push_back(&entry);
      }
    }
  }

  DiffPackages run() {
    read_dpkg();
    read_language_packages(*this, owners_, notes_);
    owners_.claim_bytecode();
    result_.owners.reserve(diff_.size());
    for (const FileEntry& entry : diff_)
      result_.owners.push_back(entry.is_directory() ? std::nullopt : owners_.owner_of(entry.path));
    result_.notes = notes_.all();
    return std::move(result_);
  }

 private:
  // "var/lib/dpkg/info/libc6:amd64.list" -> "libc6:amd64"; dots are part of names: "python3.11.list".
  static std::string_view stem_of(std::string_view path) {
    const std::string_view name = base_name(path);
    return name.substr(0, name.rfind('.'));
  }

  std::optional<std::string> text_of(const FileEntry& entry, std::uint64_t most) {
    if (entry.size > most || entry.size > kMaxReadBytes - read_bytes_) {
      notes_.add(fmt::format("'{}': {}, more than the {} that are read", printable(entry.path), human_bytes(entry.size),
                             human_bytes(std::min(most, kMaxReadBytes - read_bytes_))));
      return std::nullopt;
    }
    read_bytes_ += entry.size;
    std::optional<std::string> text = read_(entry.path);
    if (!text) notes_.add(fmt::format("'{}': could not be read", printable(entry.path)));
    return text;
  }

  void each(DatabaseKind kind, const Visit& visit) override {
    const bool is_shared = kind == DatabaseKind::dpkg_status;
    for (const FileEntry* entry : files_[kind]) {
      if (const auto text = text_of(*entry, is_shared ? kMaxDatabaseBytes : kMaxPackageFileBytes))
        visit(entry->path, *text);
    }
  }

  // What the system's package brings is that package's.
  std::optional<std::size_t> add(StatedPackage stated, const std::string& path) override {
    if (result_.packages.size() == kMaxPackages || owners_.owner_of(path)) return std::nullopt;
    result_.packages.push_back({std::move(stated), path});
    return result_.packages.size() - 1;
  }

  void read_dpkg() {
    if (info_.empty()) return;
    std::vector<StatedPackage> stated;
    each(DatabaseKind::dpkg_status,
         [&](const std::string& path, const std::string& text) { stated = read_dpkg_status(text, path, notes_); });
    std::sort(stated.begin(), stated.end(), [](const StatedPackage& a, const StatedPackage& b) {
      return std::tie(a.name, a.architecture) < std::tie(b.name, b.architecture);
    });
    for (StatedPackage& package : stated) {
      const std::string with_architecture = package.name + ":" + package.architecture;
      auto files = info_.find(package.name);
      if (files == info_.end()) files = info_.find(with_architecture);
      if (files == info_.end()) continue;
      const auto list = std::find_if(files->second.begin(), files->second.end(),
                                     [](const FileEntry* entry) { return entry->path.ends_with(".list"); });
      if (list == files->second.end()) continue;
      const auto number = add(std::move(package), (*list)->path);
      if (!number) continue;
      for (const FileEntry* file : files->second) owners_.claim("", file->path, *number);
      const auto text = text_of(**list, kMaxPackageFileBytes);
      if (!text) continue;
      for (const std::string& path : read_dpkg_list(*text)) owners_.claim("", path, *number);
    }
  }

  const std::vector<FileEntry>& diff_;
  const ReadDiffFile& read_;
  const MergedView view_;
  PackageNotes notes_;
  FileOwners owners_;
  std::map<DatabaseKind, std::vector<const FileEntry*>> files_;          // in order of paths
  std::unordered_map<std::string, std::vector<const FileEntry*>> info_;  // dpkg's by package
  std::uint64_t read_bytes_ = 0;
  DiffPackages result_;
};

}  // namespace

DiffPackages packages_of_diff(const std::vector<FileEntry>& diff, const MergedView& below, const ReadDiffFile& read) {
  return DiffReading(diff, below, read).run();
}

}  // namespace kiln
