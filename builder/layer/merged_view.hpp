#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/file_index.hpp"

namespace kiln {

// The root file system of a stack of layers, as its indexes tell it: whiteouts and opaque markers applied, nothing
// unpacked. A value, cheap to copy and to extend: it holds shared indexes and looks into them from the top when asked.
// Immutable, so it may be used from any thread. All paths are canonical (canonical_entry_path); "" is the root.
class MergedView {
 public:
  // Something that is there. A folder that layers write into and none describes is `implied`: 0755, root's, time 0.
  struct Found {
    std::string path;
    const FileEntry* entry = nullptr;  // lives as long as the view's indexes; its `path` is empty where implied
    std::size_t layer = 0;             // from the bottom, 0 the lowest
    bool implied = false;
  };

  MergedView() = default;  // scratch: an implied root and nothing else
  // From the bottom to the top.
  explicit MergedView(std::vector<std::shared_ptr<const FileIndex>> layers) : layers_(std::move(layers)) {}
  MergedView with_layer(std::shared_ptr<const FileIndex> top) const;

  const std::vector<std::shared_ptr<const FileIndex>>& layers() const noexcept { return layers_; }

  // The path as it is spelt: no symlink is followed, also not in the middle.
  std::optional<Found> lookup(std::string_view path) const;

  // The path as a process inside would reach it, however it is spelt: symlinks are followed with "/" as this root, ".."
  // ends there. Components that are not there are allowed where nothing stands in their way.
  enum class FollowLast { no, yes };
  struct Resolved {
    std::string path;            // no symlink in it, but for the last component with FollowLast::no
    std::optional<Found> found;  // nullopt where nothing is there; then its parents may be missing too
  };
  // Error{build} for a loop (more than 40 links) and for a component below something that is no folder.
  Resolved resolve(std::string_view path, FollowLast follow_last) const;
  // nullopt for what resolve() refuses: nothing is there.
  std::optional<Resolved> resolve_if_possible(std::string_view path, FollowLast follow_last) const;

  // What a folder holds, in order of names; empty for what is no folder.
  std::vector<Found> list(std::string_view folder) const;
  // Everything at and below a path in entry order, folders before what they hold. `visit` returns false to keep out of
  // a folder.
  void walk(std::string_view path, const std::function<bool(const Found&)>& visit) const;

  // The file's text at the top of the stack (symlinks followed) for files that indexes keep whole; nullopt where there
  // is no such file. Error{build} where it is there but too large to have been kept.
  std::optional<std::string> kept_text(std::string_view path) const;
  std::optional<std::string> passwd() const { return kept_text("etc/passwd"); }
  std::optional<std::string> group() const { return kept_text("etc/group"); }

  // What a hard link is another name of (or what was found itself), of any kind. nullopt for a link that leads nowhere.
  std::optional<Found> behind(const Found& found) const;
  // The same where it is a file: where its bytes are in the stack.
  std::optional<Found> file_behind(const Found& found) const;

 private:
  // nullopt with what is in the way.
  std::optional<Resolved> walk_path(std::string_view path, FollowLast follow_last, std::string& problem) const;
  std::optional<Found> target_of(const Found& link) const;

  std::vector<std::shared_ptr<const FileIndex>> layers_;
};

}  // namespace kiln
