// Nodes: what all layers together say about one path, found by descending from the root component by component.
//
// In entry order every subtree is one run of neighbours, so a layer's part of a folder is a span of its entries, and a
// child's part is found by bisection within it. A node holds the spans, from the top, of those layers whose contents of
// the folder show; a whiteout, an opaque marker or something that is no folder ends the list. Rejected: one merged
// table per image, which for a hundred images of ten layers would hold everything a thousand times.

#include "builder/layer/merged_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/error.hpp"
#include "base/path_steps.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

const FileEntry& implied_folder() {
  static const FileEntry entry = [] {
    FileEntry folder;
    folder.type = EntryType::directory;
    folder.mode = 0755;
    return folder;
  }();
  return entry;
}

struct LayerSpan {
  std::size_t layer;
  std::span<const FileEntry> below;  // strictly below the node
};

struct Node {
  std::string path;
  const FileEntry* entry = nullptr;  // nullptr: not there
  std::size_t layer = 0;
  bool implied = false;
  std::vector<LayerSpan> spans;  // from the top
  bool closed = false;           // contents of the layers below do not show

  explicit operator bool() const noexcept { return entry != nullptr; }
  MergedView::Found found() const { return {path, entry, layer, implied}; }
};

// Takes what one layer says about a node's path: `run` are its entries at and below it. Returns false where the layers
// below have no say any more.
bool take_layer(Node& node, std::size_t layer, std::span<const FileEntry> run) {
  const FileEntry* own = nullptr;
  bool opaque = false;
  while (!run.empty() && run.front().path == node.path) {
    if (run.front().type == EntryType::opaque) {
      opaque = true;
    } else {
      own = &run.front();
    }
    run = run.subspan(1);
  }
  const bool has_folder = node.entry != nullptr || !node.spans.empty();
  if (own != nullptr && !own->is_directory()) {
    if (own->type != EntryType::whiteout && !has_folder) {
      node.entry = own;
      node.layer = layer;
    }
    return false;
  }
  if (own != nullptr && node.entry == nullptr) {
    node.entry = own;
    node.layer = layer;
  }
  if (!node.closed && (own != nullptr || opaque || !run.empty())) node.spans.push_back({layer, run});
  node.closed = node.closed || opaque;
  // A marker alone hides what is in the lower folder, and leaves its owner and mode.
  return !node.closed || node.entry == nullptr;
}

// A folder that layers write into and none describes.
void imply(Node& node) {
  if (node.entry != nullptr || node.spans.empty()) return;
  node.entry = &implied_folder();
  node.layer = node.spans.front().layer;
  node.implied = true;
}

Node root_of(const std::vector<std::shared_ptr<const FileIndex>>& layers) {
  Node root;
  for (std::size_t i = layers.size(); i-- > 0;) {
    if (!take_layer(root, i, layers[i]->entries())) break;
  }
  imply(root);
  if (!root) {
    root.entry = &implied_folder();
    root.implied = true;
  }
  return root;
}

std::span<const FileEntry> run_of(std::span<const FileEntry> entries, std::string_view path) {
  const auto first = std::partition_point(entries.begin(), entries.end(),
                                          [&](const FileEntry& entry) { return compare_paths(entry.path, path) < 0; });
  const auto last =
      std::partition_point(first, entries.end(), [&](const FileEntry& entry) { return is_within(entry.path, path); });
  return {first, last};
}

Node child_of(const Node& folder, std::string_view name) {
  Node child;
  child.path = join_path(folder.path, name);
  for (const LayerSpan& span : folder.spans) {
    const auto run = run_of(span.below, child.path);
    if (!run.empty() && !take_layer(child, span.layer, run)) break;
  }
  imply(child);
  return child;
}

Node descend(Node node, std::string_view path) {
  if (path.empty()) return node;
  for (const std::string_view name : split(path, '/')) {
    if (!node || !node.entry->is_directory()) return {};
    node = child_of(node, name);
  }
  return node;
}

std::string_view child_name(const FileEntry& entry, const Node& folder) {
  std::string_view rest = entry.path;
  if (!folder.path.empty()) rest.remove_prefix(folder.path.size() + 1);
  return rest.substr(0, rest.find('/'));
}

// Calls `visit` with every child that is there, in order of names: the layers' runs are merged.
template <class Visit>
void for_each_child(const Node& folder, const Visit& visit) {
  if (!folder.entry->is_directory()) return;
  std::vector<LayerSpan> rest = folder.spans;
  for (;;) {
    std::string_view smallest;
    for (const LayerSpan& span : rest) {
      if (span.below.empty()) continue;
      const std::string_view name = child_name(span.below.front(), folder);
      if (smallest.empty() || name < smallest) smallest = name;
    }
    if (smallest.empty()) return;
    Node child;
    child.path = join_path(folder.path, smallest);
    bool shows = true;
    for (LayerSpan& span : rest) {
      if (span.below.empty() || child_name(span.below.front(), folder) != smallest) continue;
      const auto end = std::partition_point(span.below.begin(), span.below.end(),
                                            [&](const FileEntry& entry) { return is_within(entry.path, child.path); });
      const auto run = span.below.first(static_cast<std::size_t>(end - span.below.begin()));
      // The name points into the run, which stays alive; only the span moves on.
      span.below = span.below.subspan(run.size());
      if (shows) shows = take_layer(child, span.layer, run);
    }
    imply(child);
    if (child) visit(child);
  }
}

void walk_node(const Node& node, const std::function<bool(const MergedView::Found&)>& visit) {
  if (!visit(node.found()) || !node.entry->is_directory()) return;
  for_each_child(node, [&](const Node& child) { walk_node(child, visit); });
}

}  // namespace

MergedView MergedView::with_layer(std::shared_ptr<const FileIndex> top) const {
  MergedView view = *this;
  view.layers_.push_back(std::move(top));
  return view;
}

std::optional<MergedView::Found> MergedView::lookup(std::string_view path) const {
  const Node node = descend(root_of(layers_), path);
  if (!node) return std::nullopt;
  return node.found();
}

std::optional<MergedView::Resolved> MergedView::walk_path(std::string_view path, FollowLast follow_last,
                                                          std::string& problem) const {
  PathSteps steps(path);
  std::vector<Node> trail;  // the root, then what stands at each of the components reached
  trail.push_back(root_of(layers_));
  while (auto name = steps.next()) {
    trail.resize(steps.reached().size() + 1);
    const Node& folder = trail.back();
    if (folder && !folder.entry->is_directory()) {
      problem = fmt::format("'/{}' is no folder", printable(folder.path));
      return std::nullopt;
    }
    Node next;
    if (folder) next = child_of(folder, *name);
    next.path = join_path(folder.path, *name);
    const bool is_link = next && next.entry->type == EntryType::symlink;
    if (!is_link || (steps.at_last() && follow_last == FollowLast::no)) {
      steps.enter(std::move(*name));
      trail.push_back(std::move(next));
    } else if (!steps.follow(next.entry->link)) {
      problem =
          fmt::format("more than {} symbolic links, the last at '/{}'", PathSteps::kMostLinks, printable(next.path));
      return std::nullopt;
    }
  }
  trail.resize(steps.reached().size() + 1);
  const Node& last = trail.back();
  Resolved resolved;
  resolved.path = last.path;
  if (last) resolved.found = last.found();
  return resolved;
}

MergedView::Resolved MergedView::resolve(std::string_view path, FollowLast follow_last) const {
  std::string problem;
  if (auto resolved = walk_path(path, follow_last, problem)) return *std::move(resolved);
  throw Error(Category::build, fmt::format("cannot resolve '{}' in the image: {}", printable(path), problem));
}

std::optional<MergedView::Resolved> MergedView::resolve_if_possible(std::string_view path,
                                                                    FollowLast follow_last) const {
  std::string problem;
  return walk_path(path, follow_last, problem);
}

std::vector<MergedView::Found> MergedView::list(std::string_view folder) const {
  std::vector<Found> result;
  const Node node = descend(root_of(layers_), folder);
  if (node) for_each_child(node, [&](const Node& child) { result.push_back(child.found()); });
  return result;
}

void MergedView::walk(std::string_view path, const std::function<bool(const Found&)>& visit) const {
  const Node node = descend(root_of(layers_), path);
  if (node) walk_node(node, visit);
}

// A link names what was there when its entry was read. One without a digest was to nothing of its own layer, so that
// what is there now came later; what the layer hides was still there.
std::optional<MergedView::Found> MergedView::target_of(const Found& link) const {
  const auto own = layers_.begin() + static_cast<std::ptrdiff_t>(link.layer);
  if (link.entry->content.empty()) {
    if (auto below = MergedView({layers_.begin(), own}).lookup(link.entry->link)) return below;
  }
  return MergedView({layers_.begin(), own + 1}).lookup(link.entry->link);
}

std::optional<MergedView::Found> MergedView::behind(const Found& found) const {
  Found current = found;
  for (int links = 0; current.entry->type == EntryType::hardlink; ++links) {
    if (links > PathSteps::kMostLinks) return std::nullopt;
    auto target = target_of(current);
    if (!target) return std::nullopt;
    current = std::move(*target);
  }
  return current;
}

std::optional<MergedView::Found> MergedView::file_behind(const Found& found) const {
  auto target = behind(found);
  return target && target->entry->type == EntryType::file ? target : std::nullopt;
}

std::optional<std::string> MergedView::kept_text(std::string_view path) const {
  const Resolved resolved = resolve(path, FollowLast::yes);
  if (!resolved.found) return std::nullopt;
  const auto file = file_behind(*resolved.found);
  if (!file) return std::nullopt;
  const std::string* text = layers_[file->layer]->kept_file(file->path);
  if (text == nullptr) {
    throw Error(Category::build,
                fmt::format("'/{}' of the image is too large, or lies too far off, to be read as '/{}'",
                            printable(file->path), printable(path)));
  }
  return *text;
}

}  // namespace kiln
