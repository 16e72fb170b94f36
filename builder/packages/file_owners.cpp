#include "builder/packages/file_owners.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "builder/packages/bytecode.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kTarBlock = 512;

}  // namespace

std::uint64_t FileOwners::tar_bytes(const FileEntry& entry) {
  const std::uint64_t data = entry.type == EntryType::file ? entry.size : 0;
  return kTarBlock + (data + kTarBlock - 1) / kTarBlock * kTarBlock;
}

FileOwners::FileOwners(const MergedView& view) : view_(view) {
  view.walk("", [&](const MergedView::Found& found) {
    if (!found.implied && !found.entry->is_directory()) add_file(*found.entry, found.layer);
    return true;
  });
  number_files();
}

FileOwners FileOwners::of_top_layer(const MergedView& view) { return {view, TopLayer{}}; }

FileOwners::FileOwners(const MergedView& view, TopLayer) : view_(view) {
  for (const FileEntry& entry : view.layers().back()->entries()) {
    const bool is_mark = entry.type == EntryType::whiteout || entry.type == EntryType::opaque;
    if (!is_mark && !entry.is_directory()) add_file(entry, view.layers().size() - 1);
  }
  number_files();
}

void FileOwners::add_file(const FileEntry& entry, std::size_t layer) { files_.push_back({entry.path, layer, kNone}); }

void FileOwners::number_files() {
  numbers_.reserve(files_.size());
  for (std::size_t i = 0; i < files_.size(); ++i) numbers_.emplace(files_[i].path, i);
}

const std::string* FileOwners::real_folder(const std::string& folder) {
  const auto [known, is_new] = folders_.try_emplace(folder);
  if (is_new) {
    if (auto resolved = view_.resolve_if_possible(folder, MergedView::FollowLast::yes))
      known->second = std::move(resolved->path);
  }
  return known->second ? &*known->second : nullptr;
}

void FileOwners::claim(std::string_view folder, std::string_view path, std::size_t package) {
  const std::size_t slash = path.rfind('/');
  std::string above(path.starts_with('/') ? std::string_view() : folder);
  if (slash != std::string_view::npos && slash > 0) above = join_path(above, path.substr(0, slash));
  const std::string* real = real_folder(above);
  if (real == nullptr) return;
  const auto found = numbers_.find(join_path(*real, path.substr(slash == std::string_view::npos ? 0 : slash + 1)));
  if (found != numbers_.end() && files_[found->second].owner == kNone) files_[found->second].owner = package;
}

std::size_t FileOwners::lower_bound(std::string_view path) const {
  const auto place = std::lower_bound(files_.begin(), files_.end(), path, [](const File& file, std::string_view name) {
    return compare_paths(file.path, name) < 0;
  });
  return static_cast<std::size_t>(place - files_.begin());
}

void FileOwners::claim_below(std::string_view folder, std::string_view except, std::size_t package) {
  const std::size_t skip_from = except.empty() ? files_.size() : lower_bound(except);
  for (std::size_t i = lower_bound(folder); i < files_.size() && is_within(files_[i].path, folder); ++i) {
    if (i == skip_from) {
      while (i < files_.size() && is_within(files_[i].path, except)) ++i;
      if (i == files_.size() || !is_within(files_[i].path, folder)) return;
    }
    if (files_[i].owner == kNone) files_[i].owner = package;
  }
}

void FileOwners::claim_bytecode() {
  for (File& file : files_) {
    if (file.owner != kNone) continue;
    const auto source = numbers_.find(source_of_bytecode(file.path));
    if (source != numbers_.end()) file.owner = files_[source->second].owner;
  }
}

std::optional<std::size_t> FileOwners::owner_of(std::string_view path) const {
  const auto found = numbers_.find(path);
  if (found == numbers_.end() || files_[found->second].owner == kNone) return std::nullopt;
  return files_[found->second].owner;
}

std::optional<std::size_t> FileOwners::owner_of(std::string_view path, std::size_t layer) const {
  const auto found = numbers_.find(path);
  if (found == numbers_.end() || files_[found->second].layer != layer) return std::nullopt;
  return owner_of(path);
}

}  // namespace kiln
