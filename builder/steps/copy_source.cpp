#include "builder/steps/copy_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/text.hpp"
#include "builder/steps/copy_plan.hpp"
#include "builder/steps/link_resolution.hpp"

namespace kiln {

namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kFilesAhead = 256;  // hashed ahead at once: who asks meanwhile waits for these
constexpr std::uint64_t kMaxBytesAhead = std::uint64_t{64}
                                         << 20;  // a larger file would hold up a build that ends early

FileEntry directory_entry(std::string_view path) {
  FileEntry entry;
  entry.path = std::string(path);
  entry.type = EntryType::directory;
  entry.mode = 0755;
  return entry;
}

// Counts who asks.
class Asking {
 public:
  explicit Asking(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Asking() { --count_; }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

 private:
  std::atomic<int>& count_;
};

void normalise(FileEntry& entry, ContextModes modes) {
  entry.uid = 0;
  entry.gid = 0;
  if (modes == ContextModes::as_on_disk) return;
  entry.xattrs.clear();
  if (entry.type == EntryType::directory) entry.mode = 0755;
  if (entry.type == EntryType::file) entry.mode = (entry.mode & 0100) ? 0755 : 0644;
}

}  // namespace

void CopySource::read_ahead(const std::vector<std::string>&) const {}

std::string CopySource::why_missing(std::string_view) const { return {}; }

std::optional<Blocked> CopySource::bring() const { return std::nullopt; }

std::string CopySource::identity(std::string_view) const { return {}; }

void CopySource::add_file(LayerWriter& writer, const FileEntry& target, const std::string& source_path) const {
  const std::unique_ptr<ByteSource> bytes = open(source_path);
  writer.add(target, *bytes, fmt::format("'/{}' of {}", source_path, describe()));
}

ContextSource::ContextSource(fs::path root, dockerfile::IgnoreMatcher ignore, ContextModes modes, StatCache* stat_cache,
                             ThreadPool& pool, CancelToken cancel, std::string description,
                             LivingFiles::Writers writers)
    : root_(std::move(root)),
      ignore_(std::move(ignore)),
      modes_(modes),
      stat_cache_(stat_cache),
      pool_(pool),
      cancel_(std::move(cancel)),
      description_(std::move(description)),
      writers_(writers) {}

const ScannedTree& ContextSource::tree() const {
  const std::lock_guard lock(mutex_);
  if (!tree_) {
    ScanOptions options;
    options.xattrs = modes_ == ContextModes::as_on_disk;
    options.is_living = true;
    options.sockets = ScanOptions::Sockets::as_empty_files;
    options.known = stat_cache_;
    if (!ignore_.empty()) {
      options.verdict = [this](std::string_view path, bool is_directory) {
        if (!ignore_.ignores(path)) return ScanVerdict::include;
        return is_directory && ignore_.may_reinclude_below(path) ? ScanVerdict::look_below : ScanVerdict::exclude;
      };
    }
    ScannedTree scanned = scan_tree(root_, options, pool_, cancel_);
    for (FileEntry& entry : scanned.entries) normalise(entry, modes_);
    tree_ = std::move(scanned);
    files_.emplace(root_, *tree_, stat_cache_, pool_, cancel_, writers_);
    // A caller that wants a digest asks for it: by then the file may be another.
    for (FileEntry& entry : tree_->entries) entry.content = {};
  }
  return *tree_;
}

void ContextSource::read_ahead(const std::vector<std::string>& patterns) const {
  ahead_.add([this, patterns] {
    tree();
    for (const std::string& pattern : patterns) hash_ahead(pattern);
  });
}

void ContextSource::hash_ahead(const std::string& pattern) const {
  std::vector<std::size_t> numbers;
  for (const std::string& match : match_sources(*this, pattern)) {
    walk(resolve(match), [&](const FileEntry& entry) {
      if (entry.type == EntryType::file && entry.size <= kMaxBytesAhead) numbers.push_back(find(entry.path));
      return true;
    });
  }
  for (std::span<const std::size_t> rest = numbers; !rest.empty() && !ahead_.is_stopping();) {
    while (asking_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::size_t count = std::min(rest.size(), kFilesAhead);
    hashed(rest.first(count));
    rest = rest.subspan(count);
  }
}

std::size_t ContextSource::find(std::string_view path) const {
  const auto& entries = tree().entries;
  // Most questions come in entry order.
  const std::size_t next = last_found_.load(std::memory_order_relaxed);
  for (std::size_t near = next; near < std::min(next + 2, entries.size()); ++near) {
    if (entries[near].path != path) continue;
    last_found_.store(near, std::memory_order_relaxed);
    return near;
  }
  const auto it = std::lower_bound(
      entries.begin(), entries.end(), path,
      [](const FileEntry& entry, std::string_view wanted) { return compare_paths(entry.path, wanted) < 0; });
  if (it == entries.end() || it->path != path) return kNone;
  const auto number = static_cast<std::size_t>(it - entries.begin());
  last_found_.store(number, std::memory_order_relaxed);
  return number;
}

std::optional<FileEntry> ContextSource::lookup(std::string_view path) const {
  if (path.empty()) return directory_entry("");
  const std::size_t number = find(path);
  if (number == kNone) {
    refuse_below_unreadable(path);
    return std::nullopt;
  }
  return files_->is_gone(number) ? std::nullopt : std::optional(tree().entries[number]);
}

// What a folder that may not be read holds is not known.
void ContextSource::refuse_below_unreadable(std::string_view path) const {
  for (const std::string& folder : tree().unreadable) {
    if (!is_within(path, folder)) continue;
    throw Error(Category::build, fmt::format("folder '/{}' of {} cannot be read: {}; keep it out by the ignore file",
                                             printable(folder), description_, errno_text(EACCES)));
  }
}

std::string ContextSource::resolve(std::string_view path) const {
  return resolve_links(path, LastLink::follow, [this](std::string_view at) { return lookup(at); });
}

void ContextSource::walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const {
  const auto& entries = tree().entries;
  std::size_t number = 0;
  if (path.empty()) {
    if (!visit(directory_entry(""))) return;
  } else {
    number = find(path);
    if (number == kNone) return;
  }
  while (number < entries.size() && is_within(entries[number].path, path)) {
    const FileEntry& entry = entries[number++];
    if (files_->is_gone(number - 1)) continue;
    const bool go_below = visit(entry);
    if (go_below && entry.is_directory()) refuse_below_unreadable(entry.path);
    if (go_below || !entry.is_directory()) continue;
    while (number < entries.size() && is_within(entries[number].path, entry.path)) ++number;
  }
}

void ContextSource::digest(std::vector<FileEntry*>& files) const {
  std::vector<std::size_t> numbers;
  numbers.reserve(files.size());
  for (const FileEntry* file : files) numbers.push_back(find(file->path));
  std::vector<LivingFiles::Content> contents;
  {
    const Asking asking(asking_);
    contents = hashed(numbers);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i]->content = std::move(contents[i].digest);
    files[i]->size = contents[i].size;
  }
}

std::vector<LivingFiles::Content> ContextSource::hashed(std::span<const std::size_t> numbers) const {
  tree();
  const std::lock_guard lock(hash_mutex_);
  return files_->read(numbers);
}

std::unique_ptr<ByteSource> ContextSource::open(const std::string& path) const {
  const std::size_t number = find(path);
  if (number == kNone) {
    throw Error(Category::build, fmt::format("'/{}' is not in {}", printable(path), description_));
  }
  return files_->open(number);
}

std::string ContextSource::identity(std::string_view path) const {
  // A checkout has no hard links, whatever the folder it lies in has.
  const std::size_t number = modes_ == ContextModes::as_in_git ? kNone : find(path);
  if (number == kNone || !tree().has_other_names[number]) return {};
  const FileStamp& stamp = tree().stamps[number];
  return fmt::format("{}:{}", stamp.device, stamp.inode);
}

std::string ContextSource::why_missing(std::string_view path) const {
  if (ignore_.ignores(path)) return fmt::format("'{}' is excluded by the ignore file of the context", printable(path));
  std::vector<std::string> siblings;
  const std::string folder(parent_path(path));
  walk(folder, [&](const FileEntry& entry) {
    if (entry.path == folder) return true;
    siblings.push_back(entry.path);
    return false;
  });
  if (const auto near = nearest(path, siblings)) return fmt::format("did you mean '{}'?", printable(*near));
  return {};
}

ImageSource::ImageSource(LayerAccess& access, ImageLayers layers, MergedView view, std::string description,
                         std::string step)
    : access_(access),
      layers_(std::move(layers)),
      view_(std::move(view)),
      description_(std::move(description)),
      step_(std::move(step)) {}

std::optional<Blocked> ImageSource::bring() const {
  const std::lock_guard lock(mutex_);
  if (folders_) return std::nullopt;
  OrBlocked<SnapshotChain> folders = access_.folders(layers_, step_);
  if (folders.is_blocked()) return folders.blocked();
  folders_ = std::move(folders).value();
  return std::nullopt;
}

namespace {

// What a found path shows as: a hard link is the file behind it.
FileEntry shown_entry(const MergedView& view, const MergedView::Found& found) {
  if (found.implied) return directory_entry(found.path);
  FileEntry entry = *found.entry;
  if (entry.type == EntryType::hardlink) {
    if (const auto behind = view.file_behind(found)) entry = *behind->entry;
    entry.type = EntryType::file;
    entry.link.clear();
  }
  entry.path = found.path;
  return entry;
}

}  // namespace

std::optional<FileEntry> ImageSource::lookup(std::string_view path) const {
  const auto found = view_.lookup(path);
  if (!found) return std::nullopt;
  return shown_entry(view_, *found);
}

std::string ImageSource::resolve(std::string_view path) const {
  return view_.resolve(path, MergedView::FollowLast::yes).path;
}

void ImageSource::walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const {
  view_.walk(path, [&](const MergedView::Found& found) { return visit(shown_entry(view_, found)); });
}

void ImageSource::digest(std::vector<FileEntry*>&) const {
  // Indexes carry the digest of every file.
}

std::unique_ptr<ByteSource> ImageSource::open(const std::string& path) const {
  const auto found = view_.lookup(path);
  const auto behind = found ? view_.file_behind(*found) : std::nullopt;
  if (!behind) throw Error(Category::build, fmt::format("'/{}' of {} is not a file", printable(path), description_));
  if (const auto blocked = bring()) refuse_lost(*blocked);
  fs::path folder;
  {
    const std::lock_guard lock(mutex_);
    folder = folders_->folders().at(behind->layer);
  }
  const Fd root = open_directory(folder);
  return std::make_unique<OwnedFdSource>(open_scanned(root, behind->path),
                                         fmt::format("/{} of {}", path, description_));
}

std::string ImageSource::identity(std::string_view path) const {
  const auto found = view_.lookup(path);
  const auto behind = found && found->entry ? view_.file_behind(*found) : std::nullopt;
  return behind ? fmt::format("{}:{}", behind->layer, behind->path) : std::string();
}

InlineSource::InlineSource(std::map<std::string, std::string> files, std::uint16_t mode, std::string description)
    : files_(std::move(files)), mode_(mode), description_(std::move(description)) {}

std::optional<FileEntry> InlineSource::lookup(std::string_view path) const {
  if (path.empty()) return directory_entry("");
  const auto it = files_.find(std::string(path));
  if (it == files_.end()) return std::nullopt;
  FileEntry entry;
  entry.path = it->first;
  entry.mode = mode_;
  entry.size = it->second.size();
  entry.content = oci::sha256_of(it->second);
  return entry;
}

std::string InlineSource::resolve(std::string_view path) const { return std::string(path); }

void InlineSource::walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const {
  const auto entry = lookup(path);
  if (!entry || !visit(*entry) || !path.empty()) return;
  for (const auto& [name, text] : files_) visit(*lookup(name));
}

void InlineSource::digest(std::vector<FileEntry*>&) const {}

std::unique_ptr<ByteSource> InlineSource::open(const std::string& path) const {
  return std::make_unique<MemorySource>(files_.at(path));
}

}  // namespace kiln
