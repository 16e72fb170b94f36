#include "builder/steps/image_source.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/tree_scanner.hpp"

namespace kiln {

namespace {

// What a found path shows as: a hard link is what it is another name of.
FileEntry shown_entry(const MergedView& view, const MergedView::Found& found) {
  if (found.implied) return implied_directory(found.path);
  FileEntry entry = *found.entry;
  if (entry.type == EntryType::hardlink) {
    const auto behind = view.behind(found);
    if (!behind) {
      throw Error(Category::build, fmt::format("'/{}' of the image is a hard link to '/{}', which is not there",
                                               printable(found.path), printable(entry.link)));
    }
    entry = *behind->entry;
  }
  entry.path = found.path;
  return entry;
}

}  // namespace

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
  OrBlocked<SnapshotChain> folders = access_.folders().of(layers_, step_);
  if (folders.is_blocked()) return folders.blocked();
  folders_ = std::move(folders).value();
  return std::nullopt;
}

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

}  // namespace kiln
