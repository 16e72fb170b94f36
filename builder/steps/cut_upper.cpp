#include "builder/steps/cut_upper.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <optional>

#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "builder/packages/layer_cut.hpp"
#include "builder/run/upper_parts.hpp"
#include "builder/steps/settled_times.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

namespace {

std::string read_whole(const Fd& root, const std::string& path) {
  const Fd file = open_scanned(root, path);
  FdSource source(file, path);
  return read_to_end(source, kMaxDatabaseBytes, "'/" + path + "'");
}

LayerCut find_cut(const Fd& root, const ScannedTree& tree, const UpperToCut& what) {
  const DiffPackages found = packages_of_diff(
      tree.entries, what.below, [&](const std::string& path) { return std::optional(read_whole(root, path)); });
  return cut_layers(tree.entries, found, {kOwnLayerBytes, what.cutting.most_layers});
}

std::string note_of(const LayerCut& cut, const LayerCutting& cutting) {
  const std::string room = fmt::format("the image may have {} more layers", cutting.most_layers);
  if (cut.own_layer_bytes) {
    return fmt::format("packages have layers of their own above {}, not above {}: {} (\"limit\" of its \"layers\")",
                       human_bytes(*cut.own_layer_bytes), human_bytes(kOwnLayerBytes), room);
  }
  return fmt::format("no package has a layer of its own: {} (\"limit\" of its \"layers\")", room);
}

// Writes the parts of a cut, but for those that are in the store or in a shared cache.
class PartWriter {
 public:
  PartWriter(LayerAccess& access, const Fd& root, const ScannedTree& tree, const UpperToCut& what)
      : access_(access), root_(root), tree_(tree), what_(what) {}

  std::vector<LayerValue> write(const std::vector<LayerPart>& parts) {
    std::vector<Candidate> candidates = find(parts);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Candidate& known = candidates[i];
      const bool is_there = known.layer && is_same(parts[i], *known.layer);
      std::optional<LayerWriter> writer;
      if (!is_there) writer.emplace(fill(parts[i], Wanted::layer));
      finish_last();
      if (is_there) {
        ++(known.is_in_store ? in_store_ : in_cache_);
        if (known.is_in_store) access_.known_layers().note(known.shape, what_.compression, *known.layer);
        known.layer->part = parts[i].contents;
        layers_.push_back(std::move(*known.layer));
      } else {
        // Its last blocks are compressed while the next part is read.
        last_.emplace(Last{std::move(*writer), known.shape, parts[i].contents});
      }
    }
    finish_last();
    return std::move(layers_);
  }

  // How many were there.
  std::size_t in_store() const noexcept { return in_store_; }
  std::size_t in_cache() const noexcept { return in_cache_; }

 private:
  struct Last {
    LayerWriter writer;
    std::string shape;
    std::string contents;
  };
  // A layer of a part's shape, where there is one.
  struct Candidate {
    std::string shape;
    std::optional<LayerValue> layer;
    bool is_in_store = false;
  };
  enum class Wanted { layer, diff_id };

  LayerWriter fill(const LayerPart& part, Wanted wanted) {
    LayerWriterOptions options;
    options.compression = what_.compression;
    options.set_mtime = what_.cutting.time;
    options.diff_id_only = wanted == Wanted::diff_id;
    LayerWriter writer(access_.store(), access_.pool(), options, access_.cancel());
    for (const std::size_t number : part.entries) {
      const FileEntry& entry = tree_.entries[number];
      if (entry.type == EntryType::file && entry.size > 0) {
        writer.add(entry, open_scanned(root_, entry.path), "'/" + entry.path + "'");
      } else {
        writer.add(entry);
      }
    }
    writer.finish_diff_id();
    return writer;
  }

  // "" for a layer whose blob needs more words than its digest.
  std::string shape_of(const LayerPart& part) const {
    StepKeyBuilder shape("shape");
    shape.number("times", what_.cutting.time);
    for (const std::size_t number : part.entries) {
      const FileEntry& entry = tree_.entries[number];
      if (base_name(entry.path).starts_with(kWhiteoutPrefix)) return {};
      shape.entry(entry.path, entry).number("size", static_cast<std::int64_t>(entry.size));
    }
    return shape.finish();
  }

  std::vector<Candidate> find(const std::vector<LayerPart>& parts) {
    std::vector<Candidate> candidates;
    std::vector<std::size_t> open;
    std::vector<std::string> asked;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Candidate& candidate = candidates.emplace_back(Candidate{shape_of(parts[i]), std::nullopt, false});
      if (candidate.shape.empty()) continue;
      candidate.layer = access_.known_layers().in_store(candidate.shape, what_.compression);
      candidate.is_in_store = candidate.layer.has_value();
      if (candidate.is_in_store) continue;
      open.push_back(i);
      asked.push_back(candidate.shape);
    }
    auto cached = access_.known_layers().in_cache(asked, what_.compression);
    for (std::size_t i = 0; i < open.size(); ++i) candidates[open[i]].layer = std::move(cached[i]);
    return candidates;
  }

  // Reading the files twice costs less than compressing them, and only where it is likely that they are the same.
  bool is_same(const LayerPart& part, const LayerValue& layer) {
    return fill(part, Wanted::diff_id).finish_diff_id() == layer.diff_id;
  }

  void finish_last() {
    if (!last_) return;
    LayerValue layer = last_->writer.finish();
    if (!last_->shape.empty()) access_.known_layers().note(last_->shape, what_.compression, layer);
    layer.part = last_->contents;
    layers_.push_back(std::move(layer));
    last_.reset();
  }

  LayerAccess& access_;
  const Fd& root_;
  const ScannedTree& tree_;
  const UpperToCut& what_;
  std::optional<Last> last_;
  std::vector<LayerValue> layers_;
  std::size_t in_store_ = 0;
  std::size_t in_cache_ = 0;
};

}  // namespace

std::vector<LayerValue> cut_upper(LayerAccess& access, SnapshotUpper upper, const UpperToCut& what,
                                  const CutListener& say) {
  const fs::path folder = upper.folders().fs;
  const OverlayXattrs xattrs = access.snapshots().overlay_xattrs();
  ScannedTree tree = scan_upper(folder, xattrs, what.below, access.pool(), access.cancel());
  settle_times(folder, tree, what.cutting.time, access.cancel());
  const Fd root = open_directory(folder);
  const LayerCut cut = find_cut(root, tree, what);
  if (cut.own_layer_bytes != kOwnLayerBytes) say.note(note_of(cut, what.cutting));

  PartWriter writer(access, root, tree, what);
  std::vector<LayerValue> layers = writer.write(cut.parts);
  if (writer.in_store() > 0)
    say.detail(fmt::format("{} of {} layers are in the store already", writer.in_store(), layers.size()));
  if (writer.in_cache() > 0)
    say.detail(fmt::format("{} of {} layers are in a shared cache already", writer.in_cache(), layers.size()));

  oci::Digest chain_id = what.chain_id;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    chain_id = oci::chain_id(chain_id, layers[i].diff_id);
    if (layers.size() == 1) {
      access.snapshots().adopt(std::move(upper), chain_id);
      break;
    }
    std::vector<FileEntry> entries;
    for (const std::size_t number : cut.parts[i].entries) entries.push_back(tree.entries[number]);
    SnapshotUpper part = access.snapshots().begin_upper();
    move_entries(folder, part.folders().fs, entries, xattrs, access.cancel());
    access.snapshots().adopt(std::move(part), chain_id);
  }
  return layers;
}

}  // namespace kiln
