#include "builder/steps/cut_upper.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
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

// A part of a cut, in the store, and its files, where they are not all of the upper folder.
struct WrittenPart {
  LayerValue layer;
  std::optional<SnapshotUpper> files;
};

// Writes the parts of a cut, but for those that are in the store, in a shared cache or at the registry. The threads
// that write parts share it: each part is one thread's.
class PartWriter {
 public:
  PartWriter(LayerAccess& access, const fs::path& folder, const ScannedTree& tree, const UpperToCut& what)
      : access_(access), folder_(folder), root_(open_directory(folder)), tree_(tree), what_(what) {}

  // Large parts come first, so that several threads end at about the same time.
  std::vector<WrittenPart> write(const std::vector<LayerPart>& parts, const CutListener& say) {
    std::vector<Candidate> candidates = find(parts);
    std::vector<WrittenPart> written(parts.size());
    const auto write_one = [&](std::size_t i) {
      LayerValue layer = layer_of(parts[i], candidates[i]);
      layer.part = parts[i].contents;
      say.layer(layer);
      written[i].layer = std::move(layer);
      if (parts.size() > 1) written[i].files = take_files(parts[i]);
    };
    if (parts.size() == 1) {
      write_one(0);
    } else {
      // What a part waits for is done by the threads of access_.pool().
      ThreadPool writers(std::min(parts.size(), kMostWriters) - 1);
      writers.parallel_for(parts.size(), write_one);
    }
    return written;
  }

  // How many were there.
  std::size_t in_store() const noexcept { return in_store_; }
  std::size_t in_cache() const noexcept { return in_cache_; }
  std::size_t at_registry() const noexcept { return at_registry_; }

 private:
  // A layer of a part's shape, where there is one.
  enum class Origin { store, cache, registry };
  struct Candidate {
    std::string shape;
    std::optional<LayerValue> layer;
    Origin origin = Origin::store;
  };
  enum class Wanted { layer, diff_id };

  // Each reads files and hashes them, holding a few blocks per thread of the pool that compresses.
  static constexpr std::size_t kMostWriters = 3;

  LayerValue layer_of(const LayerPart& part, Candidate& known) {
    if (known.layer) {
      // Reading the files twice costs less than compressing them, and only where it is likely that they are the same.
      LayerWriter reader = fill(part, Wanted::diff_id);
      if (reader.finish_diff_id() == known.layer->diff_id) return take(known, reader);
    }
    LayerValue layer = fill(part, Wanted::layer).finish();
    if (!known.shape.empty()) access_.known_layers().note(known.shape, what_.compression, layer);
    return layer;
  }

  LayerValue take(Candidate& known, LayerWriter& reader) {
    LayerValue layer = std::move(*known.layer);
    switch (known.origin) {
      case Origin::store:
        ++in_store_;
        break;
      case Origin::cache:
        ++in_cache_;
        return layer;
      case Origin::registry:
        ++at_registry_;
        layer = reader.finish_as(std::move(layer.blobs.front()));
        break;
    }
    access_.known_layers().note(known.shape, what_.compression, layer);
    return layer;
  }

  LayerWriter fill(const LayerPart& part, Wanted wanted) {
    LayerWriterOptions options;
    options.compression = what_.compression;
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

  SnapshotUpper take_files(const LayerPart& part) {
    std::vector<FileEntry> entries;
    entries.reserve(part.entries.size());
    for (const std::size_t number : part.entries) entries.push_back(tree_.entries[number]);
    SnapshotUpper files = access_.snapshots().begin_upper();
    move_entries(folder_, files.folders().fs, entries, access_.snapshots().overlay_xattrs(), access_.cancel());
    return files;
  }

  // "" for a layer whose blob needs more words than its digest.
  std::string shape_of(const LayerPart& part) const {
    StepKeyBuilder shape("shape");
    shape.number("times", what_.cutting.times.all);
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
      Candidate& candidate = candidates.emplace_back(Candidate{shape_of(parts[i]), std::nullopt, Origin::store});
      if (candidate.shape.empty()) continue;
      candidate.layer = access_.known_layers().in_store(candidate.shape, what_.compression);
      if (candidate.layer) continue;
      open.push_back(i);
      asked.push_back(candidate.shape);
    }
    auto cached = access_.known_layers().in_cache(asked, what_.compression);
    auto remembered = access_.known_layers().at_registry(asked, what_.compression);
    for (std::size_t i = 0; i < open.size(); ++i) {
      Candidate& candidate = candidates[open[i]];
      candidate.origin = cached[i] ? Origin::cache : Origin::registry;
      candidate.layer = std::move(cached[i] ? cached[i] : remembered[i]);
    }
    return candidates;
  }

  LayerAccess& access_;
  const fs::path& folder_;
  const Fd root_;
  const ScannedTree& tree_;
  const UpperToCut& what_;
  std::atomic<std::size_t> in_store_{0};
  std::atomic<std::size_t> in_cache_{0};
  std::atomic<std::size_t> at_registry_{0};
};

}  // namespace

std::vector<LayerValue> cut_upper(LayerAccess& access, SnapshotUpper upper, const UpperToCut& what,
                                  const CutListener& say) {
  const fs::path folder = upper.folders().fs;
  const OverlayXattrs xattrs = access.snapshots().overlay_xattrs();
  ScannedTree tree = scan_upper(folder, xattrs, what.below, access.pool(), access.cancel());
  settle_times(folder, tree, what.cutting.times, access.cancel());
  const LayerCut cut = find_cut(open_directory(folder), tree, what);
  if (cut.own_layer_bytes != kOwnLayerBytes) say.note(note_of(cut, what.cutting));

  PartWriter writer(access, folder, tree, what);
  std::vector<WrittenPart> parts = writer.write(cut.parts, say);
  if (writer.in_store() > 0)
    say.detail(fmt::format("{} of {} layers are in the store already", writer.in_store(), parts.size()));
  if (writer.in_cache() > 0)
    say.detail(fmt::format("{} of {} layers are in a shared cache already", writer.in_cache(), parts.size()));
  if (writer.at_registry() > 0)
    say.detail(fmt::format("{} of {} layers are at the registry already", writer.at_registry(), parts.size()));

  if (parts.size() == 1) parts.front().files = std::move(upper);
  std::vector<LayerValue> layers;
  oci::Digest chain_id = what.chain_id;
  for (WrittenPart& part : parts) {
    chain_id = oci::chain_id(chain_id, part.layer.diff_id);
    access.snapshots().adopt(std::move(part.files).value(), chain_id);
    layers.push_back(std::move(part.layer));
  }
  return layers;
}

}  // namespace kiln
