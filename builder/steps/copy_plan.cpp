#include "builder/steps/copy_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/pattern.hpp"
#include "builder/layer/file_bytes.hpp"
#include "builder/steps/link_resolution.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

constexpr std::uint16_t kMadeDirectoryMode = 0755;
constexpr std::uint16_t kSetGroupId = 02000;

[[noreturn]] void refuse(std::string message) { throw Error(Category::build, std::move(message)); }

FileEntry made_directory(std::string_view path) {
  FileEntry entry;
  entry.path = std::string(path);
  entry.type = EntryType::directory;
  entry.mode = kMadeDirectoryMode;
  entry.mtime = now_unix_seconds();
  return entry;
}

// The components before the first one with a wildcard, and the rest.
std::pair<std::string, std::string> split_wildcards(const std::string& path) {
  std::string plain, pattern;
  for (const std::string_view part : split(path, '/')) {
    std::string& side = pattern.empty() && !df::has_wildcards(part) ? plain : pattern;
    side = side.empty() ? std::string(part) : side + "/" + std::string(part);
  }
  return {plain, pattern};
}

// The folder that the part of a pattern before its first wildcard names, links followed. Where there is none nothing
// can match, which is hardly what its author meant.
std::string folder_before_wildcard(const CopySource& source, const std::string& plain) {
  if (plain.empty()) return "";
  const std::string folder = source.resolve(plain);
  const auto entry = source.lookup(folder);
  if (!entry) refuse_missing(source, plain);
  if (!entry->is_directory()) {
    refuse(fmt::format("'/{}' of {} is not a folder, so no wildcard below it can match", printable(plain),
                       source.describe()));
  }
  return folder;
}

}  // namespace

std::vector<std::string> match_sources(const CopySource& source, std::string_view pattern) {
  const std::string path = canonical_copy_path(pattern);
  const auto [plain, wild] = split_wildcards(path);
  if (wild.empty()) {
    if (!source.lookup(source.resolve(path))) refuse_missing(source, path);
    return {path};
  }
  const std::string base = folder_before_wildcard(source, plain);
  const df::NamePattern whole(wild);
  // What no folder on the way to a match may be called is not looked into: it may not even be readable. A class may
  // hold a slash, and says nothing of parts.
  const bool is_by_part = wild.find_first_of("[\\") == std::string::npos;
  std::vector<df::NamePattern> parts;
  if (is_by_part) {
    for (const std::string_view part : split(wild, '/')) parts.emplace_back(part);
  }
  const auto leads_to_match = [&](std::string_view folder) {
    const auto names = split(folder, '/');
    return names.size() < parts.size() && std::equal(names.begin(), names.end(), parts.begin(),
                                                     [](auto name, const auto& part) { return part.matches(name); });
  };
  std::vector<std::string> matches;
  source.walk(base, [&](const FileEntry& entry) {
    if (entry.path == base) return true;
    const std::string relative = base.empty() ? entry.path : entry.path.substr(base.size() + 1);
    if (!whole.matches(relative)) return !is_by_part || leads_to_match(relative);
    matches.push_back(entry.path);
    return false;
  });
  return matches;
}

CopyPlan::CopyPlan(MergedView target, CopyOptions options) : target_(std::move(target)), options_(std::move(options)) {}

std::optional<FileEntry> CopyPlan::at(std::string_view path) const {
  if (path.empty()) return made_directory("");
  // Most questions come in entry order, ahead of what is planned.
  if (!entries_.empty() && compare_paths(entries_.rbegin()->first, path) >= 0) {
    if (const auto it = entries_.find(std::string(path)); it != entries_.end()) return it->second.entry;
  }
  if (options_.link || is_new_in_target(parent_path(path))) return std::nullopt;
  const auto found = target_.lookup(path);
  if (!found) return std::nullopt;
  if (found->implied) return made_directory(path);
  return *found->entry;
}

// Whether the target has no such folder, so that nothing is below it either: asked once for a run of neighbours.
bool CopyPlan::is_new_in_target(std::string_view folder) const {
  if (folder.empty() || folder == old_folder_) return false;
  if (new_folder_ && is_within(folder, *new_folder_)) return true;
  const bool is_new = !target_.lookup(folder);
  (is_new ? new_folder_ : old_folder_) = std::string(folder);
  return is_new;
}

std::string CopyPlan::resolve_target(std::string_view path, bool follow_last) const {
  return resolve_links(path, follow_last ? LastLink::follow : LastLink::keep,
                       [this](std::string_view p) { return at(p); });
}

void CopyPlan::apply_owner(FileEntry& entry) const {
  if (!options_.owner) return;
  entry.uid = options_.owner->uid;
  entry.gid = options_.owner->gid;
}

void CopyPlan::apply_options(FileEntry& entry) const {
  apply_owner(entry);
  if (options_.change_mode && entry.type != EntryType::symlink) {
    entry.mode = (*options_.change_mode)(entry.mode, entry.is_directory());
  }
}

// Makes what is missing of a path whose links have been resolved.
void CopyPlan::ensure_directories(const std::string& path) {
  ensure_directories(path, options_.made_directory_mode, options_.owner);
}

// In a folder with the set-group-ID bit they are made as the kernel makes them: with its group and its bit.
void CopyPlan::ensure_directories(const std::string& path, std::uint16_t mode, const std::optional<Ownership>& owner) {
  if (path.empty()) return;
  if (const auto existing = at(path)) {
    if (!existing->is_directory())
      refuse(fmt::format("cannot make the directory '/{}': there is something else", printable(path)));
    return;
  }
  ensure_directories(std::string(parent_path(path)), mode, owner);
  FileEntry entry = made_directory(path);
  entry.mode = mode;
  if (const auto parent = at(parent_path(path)); parent && (parent->mode & kSetGroupId) != 0) {
    entry.mode |= kSetGroupId;
    entry.gid = parent->gid;
  }
  if (owner) {
    entry.uid = owner->uid;
    entry.gid = owner->gid;
  }
  place(path) = {std::move(entry), nullptr, {}, {}};
}

// Most entries come in order.
CopyPlan::Planned& CopyPlan::place(const std::string& path) {
  return entries_.try_emplace(entries_.end(), path)->second;
}

void CopyPlan::put(FileEntry entry, const CopySource* source, std::string source_path, std::string file) {
  const auto existing = at(entry.path);
  if (existing && existing->is_directory() && !entry.is_directory()) {
    refuse(fmt::format("cannot replace the directory '/{}' with a file", printable(entry.path)));
  }
  if (existing && !existing->is_directory() && entry.is_directory()) {
    refuse(fmt::format("cannot copy a directory to '/{}', which is not a directory", printable(entry.path)));
  }
  Planned& planned = place(entry.path);
  planned = {std::move(entry), source, std::move(source_path), std::move(file)};
}

void CopyPlan::forget_below(const std::string& path) {
  auto it = entries_.lower_bound(path);
  while (it != entries_.end() && is_within(it->first, path)) it = entries_.erase(it);
}

void CopyPlan::copy_tree(const CopySource& source, const std::string& from, const std::string& to,
                         const std::string& shown) {
  const df::IgnoreMatcher excludes(options_.excludes);
  bool is_top = true;
  std::string ensured;  // the folder that was there or made last
  source.walk(from, [&](const FileEntry& found) {
    FileEntry entry = found;
    const std::string relative = found.path == from ? ""
                                 : from.empty()     ? found.path
                                                    : found.path.substr(from.size() + 1);
    if (!relative.empty() && !excludes.empty() && excludes.ignores(relative)) {
      return found.is_directory() && excludes.may_reinclude_below(relative);
    }
    entry.path = relative.empty() ? to : join_path(to, relative);
    apply_options(entry);
    const std::string source_path = found.path;
    if (is_top) {
      is_top = false;
      // The folder itself: only its contents are copied, and a target that is there keeps its owner and mode.
      if (found.is_directory()) {
        const auto existing = at(to);
        if (existing && !existing->is_directory()) {
          refuse(fmt::format("cannot copy the directory '{}' to '/{}', which is not a directory", printable(shown),
                             printable(to)));
        }
        if (!existing) {
          ensure_directories(to);
          // Given away, it has the mode that it was made with.
          if (options_.owner) place(to).entry.mode = options_.made_directory_mode;
        }
        return true;
      }
    }
    if (!relative.empty() && parent_path(entry.path) != ensured) {
      ensured = parent_path(entry.path);
      ensure_directories(ensured);
    }
    std::string file = found.type == EntryType::file ? source.identity(found.path) : std::string();
    if (!file.empty()) file = fmt::format("{} {}", transfers_, file);
    const std::string path = entry.path;
    put(std::move(entry), &source, source_path, std::move(file));
    if (relative.empty()) place(path).is_named = is_named_;
    return true;
  });
}

void CopyPlan::copy_with_parents(const CopySource& source, const std::string& path, const std::string& pivot,
                                 const std::string& destination) {
  // Every folder between the pivot and what is copied comes along with its own metadata.
  const std::string relative = pivot.empty() ? path : path.substr(std::min(path.size(), pivot.size() + 1));
  std::string made = destination;
  std::string walked = pivot;
  const auto parts = split(parent_path(relative), '/');
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    walked = join_path(walked, part);
    made = join_path(made, part);
    if (auto folder = source.lookup(walked)) {
      folder->path = made;
      apply_options(*folder);
      put(std::move(*folder), nullptr, {});
    }
  }
  const auto entry = source.lookup(path);
  if (!entry) return;
  const std::string to = join_path(made, base_name(path));
  if (entry->is_directory()) {
    FileEntry folder = *entry;
    folder.path = to;
    apply_options(folder);
    put(std::move(folder), nullptr, {});
  }
  copy_tree(source, path, to, path);
}

// The part of a --parents source before "/./" may have wildcards, too: each folder it matches is a place to start from.
std::vector<std::string> CopyPlan::pivots(const CopySource& source, const std::string& pattern) {
  const std::string path = canonical_copy_path(pattern);
  if (!df::has_wildcards(path)) return {path};
  const df::PathPattern matcher(path);
  std::vector<std::string> found;
  source.walk("", [&](const FileEntry& entry) {
    if (!entry.path.empty() && entry.is_directory() && matcher.matches(entry.path)) found.push_back(entry.path);
    return true;
  });
  return found;
}

void CopyPlan::add_with_parents(const CopySource& source, std::string_view pattern, std::string_view destination) {
  const std::string folder = resolve_target(destination, true);
  ensure_directories(folder);
  const std::size_t at_pivot = pattern.find("/./");
  const std::string before(at_pivot == std::string_view::npos ? "" : pattern.substr(0, at_pivot));
  const std::string wanted =
      canonical_copy_path(at_pivot == std::string_view::npos ? pattern : pattern.substr(at_pivot + 3));
  bool any = false;
  for (const std::string& pivot : pivots(source, before)) any = add_below_pivot(source, pivot, wanted, folder) || any;
  if (any) return;
  const std::string whole = join_path(canonical_copy_path(before), wanted);
  const auto [plain, wild] = split_wildcards(whole);
  if (wild.empty()) refuse_missing(source, whole);
  // BuildKit builds without a match; without the folder it is hardly what was meant.
  if (!plain.empty() && !source.lookup(source.resolve(plain))) {
    notes_.push_back(fmt::format("--parents '{}' matches nothing: '/{}' is not in {}", printable(pattern),
                                 printable(plain), source.describe()));
  }
}

bool CopyPlan::add_below_pivot(const CopySource& source, const std::string& pivot, const std::string& wanted,
                               const std::string& folder) {
  const df::PathPattern matcher(wanted);
  bool any = wanted.empty();
  source.walk(pivot, [&](const FileEntry& entry) {
    if (entry.path == pivot) {
      if (!wanted.empty()) return true;
      copy_tree(source, pivot, folder, pivot);
      return false;
    }
    const std::string relative = pivot.empty() ? entry.path : entry.path.substr(pivot.size() + 1);
    if (!matcher.matches(relative)) return true;
    any = true;
    copy_with_parents(source, entry.path, pivot, folder);
    return false;
  });
  return any;
}

void CopyPlan::add(const CopySource& source, std::string_view pattern, std::string_view destination) {
  if (options_.parents) {
    ++transfers_;
    return add_with_parents(source, pattern, destination);
  }
  is_named_ = !df::has_wildcards(canonical_copy_path(pattern));
  for (const std::string& match : match_sources(source, pattern)) add_path(source, match, destination);
  is_named_ = true;
}

void CopyPlan::add_path(const CopySource& source, const std::string& match, std::string_view destination) {
  ++transfers_;
  const bool into_folder = destination.ends_with('/');
  const std::string followed = source.resolve(match);
  const auto from = source.lookup(followed);
  if (!from) refuse_missing(source, match);
  // What is before the last component exists or is made; a folder that is asked for by '/' too.
  const std::string cleaned = canonical_copy_path(destination);
  ensure_directories(resolve_target(into_folder ? cleaned : std::string(parent_path(cleaned)), true));
  std::string target = resolve_target(cleaned, true);
  const auto existing = at(target);
  if (!from->is_directory() && existing && existing->is_directory()) target = join_path(target, base_name(match));
  if (!from->is_directory()) ensure_directories(std::string(parent_path(target)));
  copy_tree(source, followed, target, match);
}

std::string CopyPlan::unpack_folder(std::string_view destination) {
  ++transfers_;
  const std::string folder = resolve_target(canonical_copy_path(destination), true);
  ensure_directories(folder, kMadeDirectoryMode, options_.owner);
  return folder;
}

// Where an archive's entry is put: in its folder, which is made where it is missing.
std::string CopyPlan::place_of_entry(const std::string& path) {
  // A folder of the plan was resolved when it came; to go all the way again for each entry takes minutes below 2000.
  const auto planned = entries_.find(std::string(parent_path(path)));
  if (planned != entries_.end() && planned->second.entry.is_directory()) return path;
  const std::string parent = resolve_target(parent_path(path), true);
  ensure_directories(parent, kMadeDirectoryMode, std::nullopt);
  return join_path(parent, base_name(path));
}

void CopyPlan::add_entry(const CopySource& source, const FileEntry& entry, const std::string& source_path) {
  FileEntry copy = entry;
  copy.path = place_of_entry(copy.path);
  std::string content_path = source_path, file;
  if (copy.type == EntryType::hardlink) {
    content_path = copy.link;
    copy.link.clear();
    copy.type = EntryType::file;
    if (const auto behind = source.lookup(content_path)) {
      copy.size = behind->size;
      copy.content = behind->content;
    }
  }
  if (copy.type == EntryType::file) file = fmt::format("{} {}", transfers_, source.identity(source_path));
  apply_owner(copy);
  const auto existing = at(copy.path);
  if (existing && !(existing->is_directory() && copy.is_directory())) forget_below(copy.path);
  entries_[copy.path] = {copy, &source, std::move(content_path), std::move(file)};
}

void CopyPlan::add_link(const CopySource& image, const FileEntry& link, const std::string& named) {
  const std::string path = place_of_entry(link.path);
  const std::string target = resolve_target(named, false);
  auto planned = entries_.find(target);
  const auto there = planned != entries_.end() ? std::optional(planned->second.entry)
                     : options_.link           ? std::nullopt
                                               : image.lookup(target);
  if (!there || is_within(target, path)) {
    refuse(fmt::format("'/{}' is a hard link to '/{}', which is neither before it in the archive nor in the image",
                       printable(path), printable(target)));
  }
  if (there->is_directory()) {
    refuse(fmt::format("'/{}' is a hard link to '/{}', which is a folder", printable(path), printable(target)));
  }
  FileEntry entry = *there;
  entry.path = path;
  entry.uid = link.uid;
  entry.gid = link.gid;
  if (entry.type != EntryType::symlink) entry.mode = link.mode;
  entry.mtime = link.mtime;
  apply_owner(entry);
  if (at(path)) forget_below(path);
  if (entry.type != EntryType::file) {
    entries_[path] = {std::move(entry), nullptr, {}, {}};
    return;
  }
  planned = entries_.find(target);
  if (planned == entries_.end()) planned = entries_.emplace(target, Planned{*there, &image, target, {}}).first;
  Planned& file = planned->second;
  if (file.file.empty()) file.file = fmt::format("{} /{}", transfers_, target);
  file.entry.uid = entry.uid;
  file.entry.gid = entry.gid;
  file.entry.mode = entry.mode;
  file.entry.mtime = entry.mtime;
  entries_[path] = {std::move(entry), file.source, file.source_path, file.file};
}

void CopyPlan::make_directory(std::string_view path, std::optional<Ownership> owner) {
  options_.owner = owner;
  ensure_directories(resolve_target(canonical_copy_path(path), true));
}

void CopyPlan::hash_unhashed() {
  std::map<const CopySource*, std::vector<Planned*>> unhashed;
  std::vector<const Planned*> gone;
  FileBytes file_bytes(FileUse::copied);
  std::set<std::string_view> counted;  // files with several names
  for (const auto& [path, planned] : entries_) {
    if (planned.entry.type != EntryType::file) continue;
    if (planned.file.empty() || counted.insert(planned.file).second) file_bytes.add(path, planned.entry.size);
  }
  for (auto& [path, planned] : entries_) {
    if (planned.source && planned.entry.content.empty()) unhashed[planned.source].push_back(&planned);
  }
  for (auto& [source, list] : unhashed) {
    std::vector<FileEntry> originals(list.size());
    std::vector<FileEntry*> pointers;
    for (std::size_t i = 0; i < list.size(); ++i) {
      originals[i].path = list[i]->source_path;
      pointers.push_back(&originals[i]);
    }
    source->digest(pointers);
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i]->entry.content = originals[i].content;
      list[i]->entry.size = originals[i].size;
      if (originals[i].content.empty()) gone.push_back(list[i]);
    }
  }
  // What vanished since its folder was listed was never there, unless the instruction names it.
  for (const Planned* planned : gone) {
    if (planned->is_named) refuse_missing(*planned->source, planned->source_path);
    const std::string path = planned->entry.path;
    entries_.erase(path);
  }
}

// The first name of a file in entry order carries it, the others are links to that name.
void CopyPlan::link_names_of_one_file() {
  std::map<std::string, std::string> first_names;
  for (auto& [path, planned] : entries_) {
    if (planned.file.empty()) continue;
    const auto [first, is_new] = first_names.try_emplace(planned.file, path);
    if (is_new) continue;
    planned.entry.type = EntryType::hardlink;
    planned.entry.link = first->second;
    planned.source = nullptr;
  }
}

const std::vector<CopyPlan::Planned>& CopyPlan::finish() {
  // The folders above what is written come along, so that the layer does not change them by leaving them out.
  std::set<std::string, Order> folders;
  for (const auto& [path, planned] : entries_) {
    if (const std::string_view folder = parent_path(path); folders.empty() || *folders.rbegin() != folder)
      folders.emplace(folder);
  }
  for (const std::string& lowest : folders) {
    // One that is there has its parents looked after in its own turn.
    for (std::string folder = lowest; !folder.empty() && !entries_.count(folder);
         folder = std::string(parent_path(folder))) {
      const auto found = target_.lookup(folder);
      FileEntry entry = found && !found->implied ? *found->entry : made_directory(folder);
      entry.path = folder;
      entries_[folder] = {std::move(entry), nullptr, {}, {}};
    }
  }
  for (auto& [path, planned] : entries_) {
    if (planned.entry.type != EntryType::file) planned.source = nullptr;
  }
  hash_unhashed();
  link_names_of_one_file();
  finished_.reserve(entries_.size());
  for (auto& [path, planned] : entries_) finished_.push_back(std::move(planned));
  entries_.clear();
  return finished_;
}

}  // namespace kiln
