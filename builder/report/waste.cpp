#include "builder/report/waste.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/report/contents.hpp"

namespace kiln {

namespace {

constexpr std::array<std::pair<WasteKind, std::string_view>, 5> kKinds = {{
    {WasteKind::hidden, "hidden"},
    {WasteKind::doubled, "doubled"},
    {WasteKind::cache, "cache"},
    {WasteKind::duplicate, "duplicate"},
    {WasteKind::build, "build"},
}};

// Below this a second copy is not worth a link.
constexpr std::uint64_t kLeastDuplicate = 64 << 10;

struct CacheFolder {
  std::string_view folder;  // or the last components of one, with a leading "*/"
  std::string_view advice;
};

constexpr std::array<CacheFolder, 9> kCaches = {{
    {"var/lib/apt/lists", "remove /var/lib/apt/lists in the same RUN as 'apt-get update', or mount a cache over it"},
    {"var/cache/apt", "run 'apt-get clean' in the same RUN, or mount a cache over /var/cache/apt"},
    {"*/.cache/pip", "use 'pip install --no-cache-dir', or RUN --mount=type=cache,target=/root/.cache/pip"},
    {"*/.npm", "use RUN --mount=type=cache,target=/root/.npm"},
    {"*/.cache", "remove it in the same RUN, or mount a cache over it"},
    {"root/.cargo/registry", "use RUN --mount=type=cache,target=/root/.cargo/registry"},
    {"go/pkg/mod/cache", "use RUN --mount=type=cache,target=/go/pkg/mod"},
    {"tmp", "remove temporary files in the same RUN, or mount a tmpfs over /tmp"},
    {"var/tmp", "remove temporary files in the same RUN, or mount a tmpfs over /var/tmp"},
}};

const CacheFolder* cache_of(std::string_view path) {
  for (const CacheFolder& cache : kCaches) {
    if (!cache.folder.starts_with("*/")) {
      if (path != cache.folder && is_within(path, cache.folder)) return &cache;
      continue;
    }
    // Below any user's home folder.
    const std::string inside = std::string(cache.folder.substr(1)) + "/";
    const bool is_home = path.starts_with("root/") || path.starts_with("home/");
    if (is_home && path.find(inside) != std::string_view::npos) return &cache;
  }
  return nullptr;
}

struct Seen {
  std::size_t layer;
  const FileEntry* entry;
};

struct PathBefore {
  bool operator()(std::string_view a, std::string_view b) const noexcept { return compare_paths(a, b) < 0; }
};

class Finder {
 public:
  explicit Finder(const std::vector<std::shared_ptr<const FileIndex>>& layers) : layers_(layers) {}

  using Each = std::function<void(WasteKind kind, const FileEntry& entry)>;

  void look(const Each& each) {
    each_ = each;
    for (number_ = 0; number_ < layers_.size(); ++number_) {
      if (layers_[number_]) take_layer(*layers_[number_]);
    }
    look_at_what_is_left();
  }

  std::vector<Waste> sums(std::uint64_t least_bytes) {
    std::vector<Waste> result;
    for (auto& [_, found] : found_) {
      if (found.waste.bytes >= least_bytes) result.push_back(std::move(found.waste));
    }
    std::stable_sort(result.begin(), result.end(), [](const Waste& a, const Waste& b) { return a.bytes > b.bytes; });
    return result;
  }

 private:
  struct Found {
    Waste waste;
    std::uint64_t largest = 0;
  };

  void add(WasteKind kind, const Seen& file, std::size_t because, std::string advice) {
    if (each_) return each_(kind, *file.entry);
    Found& found = found_[{kind, file.layer, because, advice}];
    Waste& waste = found.waste;
    waste.kind = kind;
    waste.layer = file.layer;
    waste.because = because;
    waste.bytes += file.entry->size;
    ++waste.files;
    if (waste.example.empty() || file.entry->size > found.largest) {
      waste.example = file.entry->path;
      found.largest = file.entry->size;
    }
    waste.advice = std::move(advice);
  }

  void hide(const Seen& file) {
    if (file.layer == number_ || file.entry->size == 0) return;
    add(WasteKind::hidden, file, number_,
        "remove or replace it in the line that brings it, or build it in a stage of its own");
  }

  // Everything of lower layers below a folder (and the path itself) goes.
  void hide_within(std::string_view path, bool itself) {
    auto it = visible_.lower_bound(path);
    while (it != visible_.end() && is_within(it->first, path)) {
      const bool keep = (!itself && it->first == path) || it->second.layer == number_;
      if (!keep) hide(it->second);
      it = keep ? std::next(it) : visible_.erase(it);
    }
  }

  void take_layer(const FileIndex& layer) {
    // What a layer removes, it removes from those below, wherever in the tar it says so.
    for (const FileEntry& entry : layer.entries()) {
      if (entry.type == EntryType::whiteout) hide_within(entry.path, true);
      if (entry.type == EntryType::opaque) hide_within(entry.path, false);
    }
    for (const FileEntry& entry : layer.entries()) {
      if (entry.type == EntryType::whiteout || entry.type == EntryType::opaque || entry.is_directory()) continue;
      if (const auto before = visible_.find(entry.path); before != visible_.end()) replace(before->second, entry);
      // A file where a folder was hides what the folder held.
      hide_within(entry.path, false);
      if (entry.type == EntryType::hardlink) {
        visible_.erase(entry.path);  // its bytes are counted once, at the file
      } else {
        visible_.insert_or_assign(entry.path, Seen{number_, &entry});
      }
    }
  }

  void replace(const Seen& before, const FileEntry& entry) {
    if (before.layer == number_) return;
    const bool same_bytes = entry.type == EntryType::file && before.entry->type == EntryType::file && entry.size > 0 &&
                            !entry.content.empty() && entry.content == before.entry->content;
    if (same_bytes) {
      const bool is_rewritten =
          entry.uid == before.entry->uid && entry.gid == before.entry->gid && entry.mode == before.entry->mode;
      add(WasteKind::doubled, Seen{number_, &entry}, number_,
          is_rewritten ? "the line writes files again with the bytes they had: leave them, or make both in one RUN"
                       : "give files their owner and mode where they are copied: COPY --chown, --chmod");
    } else {
      hide(before);
    }
  }

  void look_at_what_is_left() {
    std::unordered_map<std::string, const Seen*> contents;
    const bool compiles =
        std::any_of(visible_.begin(), visible_.end(), [](const auto& file) { return is_compiler(file.first); });
    for (const auto& [path, file] : visible_) {
      if (file.entry->type != EntryType::file) continue;
      if (const CacheFolder* cache = cache_of(path)) {
        if (file.entry->size > 0) add(WasteKind::cache, file, file.layer, std::string(cache->advice));
        continue;
      }
      if (!compiles && file.entry->size > 0 && is_build_only(path)) {
        add(WasteKind::build, file, file.layer,
            "nothing here compiles: remove it in the line that brings it, or copy only what runs from a stage");
        continue;
      }
      if (file.entry->size < kLeastDuplicate || file.entry->content.empty()) continue;
      const auto [first, is_new] = contents.emplace(file.entry->content.str(), &file);
      if (is_new) continue;
      // The copy that came later could have been left out.
      const Seen& copy = file.layer >= first->second->layer ? file : *first->second;
      const Seen& original = &copy == &file ? *first->second : file;
      add(WasteKind::duplicate, copy, copy.layer,
          fmt::format("the same bytes stand in '/{}'", printable(parent_path(original.entry->path))));
    }
  }

  const std::vector<std::shared_ptr<const FileIndex>>& layers_;
  Each each_;  // is told instead of summing up, where there is one
  std::size_t number_ = 0;
  std::map<std::string_view, Seen, PathBefore> visible_;
  std::map<std::tuple<WasteKind, std::size_t, std::size_t, std::string>, Found> found_;
};

}  // namespace

std::string_view to_string(WasteKind kind) {
  for (const auto& [value, name] : kKinds) {
    if (value == kind) return name;
  }
  return {};
}

WasteKind parse_waste_kind(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& [value, name] : kKinds) {
    if (name == text) return value;
    names.emplace_back(name);
  }
  throw Error(Category::usage, fmt::format("unknown kind of waste '{}'{}", printable(text), suggestion(text, names)));
}

std::vector<Waste> waste_of(const std::vector<std::shared_ptr<const FileIndex>>& layers, std::uint64_t least_bytes) {
  Finder finder(layers);
  finder.look(nullptr);
  return finder.sums(least_bytes);
}

void each_wasted_file(const std::vector<std::shared_ptr<const FileIndex>>& layers,
                      const std::function<void(WasteKind kind, const FileEntry& entry)>& each) {
  Finder(layers).look(each);
}

}  // namespace kiln
