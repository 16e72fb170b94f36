#include "builder/packages/database_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kDpkgFolder = "var/lib/dpkg";
constexpr std::string_view kDocFolder = "usr/share/doc";
constexpr std::string_view kApkDatabases[] = {"lib/apk/db/installed", "usr/lib/apk/db/installed"};

class Search {
 public:
  Search(const MergedView& view, PackageNotes& notes, DatabaseBounds bounds)
      : view_(view), notes_(notes), bounds_(bounds) {}

  std::vector<DatabaseFile> run() {
    const bool has_status = add_resolved(DatabaseKind::dpkg_status, join_path(kDpkgFolder, "status"));
    const bool has_parts = add_status_parts();
    if (has_status || has_parts) {
      add_lists();
      add_copyrights();
    }
    for (const std::string_view path : kApkDatabases) add_apk(path);
    view_.walk("", [&](const MergedView::Found& found) {
      if (found.implied || found.entry->is_directory()) return true;
      if (const auto kind = database_kind_by_name(found.path)) add(*kind, found.path, found);
      return true;
    });
    std::sort(files_.begin(), files_.end(), [](const DatabaseFile& a, const DatabaseFile& b) {
      return std::tie(a.kind, a.path, a.layer) < std::tie(b.kind, b.path, b.layer);
    });
    return std::move(files_);
  }

 private:
  // Says why not where a file is there and cannot be taken.
  bool add(DatabaseKind kind, const std::string& path, const MergedView::Found& found) {
    const auto file = view_.file_behind(found);
    if (!file || file->implied || file->entry->type != EntryType::file) return false;
    return add_entry(kind, path, *file->entry, file->layer);
  }

  bool add_entry(DatabaseKind kind, const std::string& path, const FileEntry& entry, std::size_t layer) {
    const bool is_shared = kind == DatabaseKind::dpkg_status || kind == DatabaseKind::apk_installed;
    const std::uint64_t most = is_shared ? kMaxDatabaseBytes : kMaxPackageFileBytes;
    if (entry.size > most) {
      notes_.add(fmt::format("'{}': {}, more than the {} that are read", printable(path), human_bytes(entry.size),
                             human_bytes(most)));
      return false;
    }
    if (entry.size > bounds_.bytes - read_bytes_ || files_.size() >= bounds_.files) {
      notes_.add(fmt::format("'{}': left out; the databases of an image are read up to {} in {} files", printable(path),
                             human_bytes(bounds_.bytes), bounds_.files));
      return false;
    }
    read_bytes_ += entry.size;
    files_.push_back({kind, path, layer, entry.path});
    return true;
  }

  bool add_resolved(DatabaseKind kind, const std::string& path) {
    const auto resolved = view_.resolve_if_possible(path, MergedView::FollowLast::yes);
    return resolved && resolved->found && add(kind, path, *resolved->found);
  }

  // What the folder holds, behind links too.
  std::vector<MergedView::Found> list(std::string_view folder) const {
    const auto resolved = view_.resolve_if_possible(folder, MergedView::FollowLast::yes);
    return resolved ? view_.list(resolved->path) : std::vector<MergedView::Found>();
  }

  bool add_status_parts() {
    bool any = false;
    const std::string folder = join_path(kDpkgFolder, "status.d");
    for (const MergedView::Found& found : list(folder)) {
      const std::string path = join_path(folder, base_name(found.path));
      const bool is_sums = path.ends_with(".md5sums");
      any = add(is_sums ? DatabaseKind::dpkg_sums : DatabaseKind::dpkg_status_part, path, found) || any;
    }
    return any;
  }

  void add_lists() {
    const std::string folder = join_path(kDpkgFolder, "info");
    for (const MergedView::Found& found : list(folder)) {
      if (found.path.ends_with(".list")) add(DatabaseKind::dpkg_list, join_path(folder, base_name(found.path)), found);
    }
  }

  void add_copyrights() {
    for (const MergedView::Found& found : list(kDocFolder)) {
      const std::string folder = join_path(kDocFolder, base_name(found.path));
      add_resolved(DatabaseKind::debian_copyright, join_path(folder, "copyright"));
    }
  }

  void add_apk(std::string_view path) {
    const auto top = view_.lookup(path);
    if (!top || top->implied || top->entry->type != EntryType::file) return;
    for (std::size_t layer = 0; layer <= top->layer; ++layer) {
      const FileEntry* entry = view_.layers()[layer]->find(path);
      if (entry != nullptr && entry->type == EntryType::file)
        add_entry(DatabaseKind::apk_installed, std::string(path), *entry, layer);
    }
  }

  const MergedView& view_;
  PackageNotes& notes_;
  DatabaseBounds bounds_;
  std::vector<DatabaseFile> files_;
  std::uint64_t read_bytes_ = 0;
};

}  // namespace

std::optional<DatabaseKind> database_kind_by_name(std::string_view path) {
  const std::string_view name = base_name(path);
  const std::string_view folder = parent_path(path);
  if (name == "METADATA" && folder.ends_with(".dist-info")) return DatabaseKind::python_metadata;
  if (name == "RECORD" && folder.ends_with(".dist-info")) return DatabaseKind::python_record;
  if (name == "PKG-INFO" && folder.ends_with(".egg-info")) return DatabaseKind::python_metadata;
  if (name.ends_with(".egg-info")) return DatabaseKind::python_metadata;
  if (name.ends_with(".json") && base_name(folder) == "conda-meta") return DatabaseKind::conda_package;
  if (name == "package.json") {
    const std::string_view above = parent_path(folder);
    const bool is_scoped = base_name(above).starts_with('@');
    if (base_name(is_scoped ? parent_path(above) : above) == "node_modules") return DatabaseKind::npm_manifest;
  }
  return std::nullopt;
}

std::vector<DatabaseFile> find_databases(const MergedView& view, PackageNotes& notes, DatabaseBounds bounds) {
  return Search(view, notes, bounds).run();
}

}  // namespace kiln
