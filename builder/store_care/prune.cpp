#include "builder/store_care/prune.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.hpp"
#include "registry/store/garbage.hpp"

namespace kiln {

namespace {

// Something that is taken whole: a step with its layers, a blob, a snapshot, a mount, a package.
struct Candidate {
  StoreItem item;
  const StoredStep* step = nullptr;
};

class Pruning {
 public:
  Pruning(ContentStore& store, SnapshotStore& snapshots, CacheMounts& mounts, const PruneOptions& options,
          UnixSeconds now)
      : store_(store),
        snapshots_(snapshots),
        mounts_(mounts),
        options_(options),
        now_(now),
        cache_(store),
        steps_(read_stored_steps(cache_)),
        items_(disk_usage(store, snapshots, mounts)),
        leased_(leased_blobs(store)) {}

  PruneReport run() {
    count_blobs();
    std::vector<Candidate> candidates = find_candidates();
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.item.last_used < b.item.last_used; });
    choose(candidates);
    if (!options_.dry_run) carry_out();
    return std::move(report_);
  }

 private:
  // How many records name each blob, and how large each is.
  void count_blobs() {
    for (const StoreItem& item : items_) {
      report_.used_before += item.bytes;
      if (oci::Digest::is_valid(item.id)) blobs_[oci::Digest::parse(item.id)] = &item;
    }
    for (const StoredStep& step : steps_) {
      for (const auto* list : {&step.blobs, &step.indexes}) {
        for (const oci::Digest& digest : *list) ++references_[digest];
      }
    }
  }

  bool may_take(StoreItemKind kind) const {
    if (!options_.kinds.empty() && !options_.kinds.count(kind)) return false;
    const bool is_dear =
        kind == StoreItemKind::base || kind == StoreItemKind::file_index || kind == StoreItemKind::package;
    return options_.all || !is_dear;
  }

  bool is_old_enough(const StoreItem& item) const {
    return !options_.unused_seconds || item.last_used <= now_ - *options_.unused_seconds;
  }

  bool is_image(const oci::Digest& digest) const {
    const auto blob = blobs_.find(digest);
    return blob != blobs_.end() && blob->second->kind == StoreItemKind::image;
  }

  std::vector<Candidate> find_candidates() const {
    std::vector<Candidate> candidates;
    const auto add = [&](Candidate candidate) {
      if (!candidate.item.in_use && may_take(candidate.item.kind) && is_old_enough(candidate.item))
        candidates.push_back(std::move(candidate));
    };
    for (const StoredStep& step : steps_) {
      const bool is_leased = std::any_of(step.blobs.begin(), step.blobs.end(),
                                         [&](const oci::Digest& blob) { return leased_.count(blob) != 0; });
      const bool frees_layers =
          std::any_of(step.blobs.begin(), step.blobs.end(), [&](const oci::Digest& blob) { return !is_image(blob); });
      if (!frees_layers && !options_.all) continue;
      add({{StoreItemKind::step, step.file.key, step.text, step.file.bytes, step.file.last_used, is_leased}, &step});
    }
    for (const StoreItem& item : items_) {
      switch (item.kind) {
        case StoreItemKind::step:
        case StoreItemKind::image:
        case StoreItemKind::record:
        case StoreItemKind::temporary:
          break;
        case StoreItemKind::file_index:
        case StoreItemKind::base:
          if (!references_.count(oci::Digest::parse(item.id))) add({item});
          break;
        case StoreItemKind::snapshot:
        case StoreItemKind::cache_mount:
        case StoreItemKind::package:
          add({item});
          break;
      }
    }
    return candidates;
  }

  // Bytes that have to go; nullopt: all that may.
  std::optional<std::uint64_t> wanted_bytes() const {
    const std::uint64_t used = report_.used_before;
    std::optional<std::uint64_t> wanted;
    const auto at_least = [&](std::uint64_t bytes) { wanted = std::max(wanted.value_or(0), bytes); };
    if (options_.max_used_bytes) at_least(used - std::min(used, *options_.max_used_bytes));
    if (options_.min_free_bytes) {
      const std::uint64_t available = fs::space(store_.home().root()).available;
      at_least(*options_.min_free_bytes - std::min(available, *options_.min_free_bytes));
    }
    if (options_.reserved_bytes) {
      const std::uint64_t most = used - std::min(used, options_.reserved_bytes);
      wanted = std::min(wanted.value_or(most), most);
    }
    return wanted;
  }

  void choose(const std::vector<Candidate>& candidates) {
    const auto wanted = wanted_bytes();
    for (const Candidate& candidate : candidates) {
      if (wanted && report_.bytes >= *wanted) return;
      StoreItem item = candidate.item;
      if (candidate.step) {
        steps_to_go_.push_back(candidate.step);
        for (const auto* list : {&candidate.step->blobs, &candidate.step->indexes}) {
          for (const oci::Digest& digest : *list) {
            if (--references_[digest] > 0 || is_image(digest)) continue;
            blobs_to_go_.insert(digest);
            if (const auto blob = blobs_.find(digest); blob != blobs_.end()) item.bytes += blob->second->bytes;
          }
        }
      } else {
        to_go_[item.kind].insert(item.id);
        if (oci::Digest::is_valid(item.id)) blobs_to_go_.insert(oci::Digest::parse(item.id));
      }
      report_.bytes += item.bytes;
      report_.removed.push_back(std::move(item));
    }
  }

  void carry_out() {
    const fs::path& root = store_.home().root();
    if (::access(root.c_str(), W_OK) != 0) throw_errno("remove anything of", root.native());
    for (const StoredStep* step : steps_to_go_) {
      // One that was found since is in use.
      struct stat status {};
      if (::stat(step->file.file.c_str(), &status) == 0 && status.st_mtime == step->file.last_used)
        remove_file(step->file.file);
    }
    collect_garbage(
        store_, [&] { return blobs_that_stay(); }, DryRun::no);
    const auto keep = [&](StoreItemKind kind, const std::string& id) { return to_go_[kind].count(id) == 0; };
    snapshots_.prune(
        [&](const SnapshotInfo& info) { return keep(StoreItemKind::snapshot, std::to_string(info.number)); });
    mounts_.prune([&](const CacheMountInfo& info) { return keep(StoreItemKind::cache_mount, info.folder.filename()); });
    if (!to_go_[StoreItemKind::package].empty()) {
      while_alone(store_, [&] {
        for (const std::string& name : to_go_[StoreItemKind::package]) remove_file(store_.home().debs() / name);
      });
    }
  }

  // Everything but what was chosen; and what was chosen stays where a record names it that was written meanwhile.
  std::set<oci::Digest> blobs_that_stay() const {
    std::set<oci::Digest> stay;
    for (const ContentStore::StoredBlob& blob : store_.blobs()) {
      if (!blobs_to_go_.count(blob.digest)) stay.insert(blob.digest);
    }
    std::map<std::string, const StoredStep*> known;
    for (const StoredStep& step : steps_) known.emplace(step.file.key, &step);
    for (const StepCache::StoredRecord& file : cache_.stored_records()) {
      const auto it = known.find(file.key);
      std::optional<StoredStep> read;
      try {
        // Most are as they were; what was written again since may name other layers.
        const bool is_as_it_was =
            it != known.end() && it->second->file.last_used == file.last_used && file.last_used + 2 < now_;
        if (!is_as_it_was) read = read_stored_step(file);
      } catch (const Error&) {
        continue;  // damaged, so it hits nothing; or taken away meanwhile
      }
      const StoredStep& step = read ? *read : *it->second;
      stay.insert(step.blobs.begin(), step.blobs.end());
      stay.insert(step.indexes.begin(), step.indexes.end());
    }
    return stay;
  }

  static void remove_file(const fs::path& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path.native());
  }

  ContentStore& store_;
  SnapshotStore& snapshots_;
  CacheMounts& mounts_;
  const PruneOptions& options_;
  UnixSeconds now_;
  StepCache cache_;
  std::vector<StoredStep> steps_;
  std::vector<StoreItem> items_;
  std::set<oci::Digest> leased_;
  std::map<oci::Digest, const StoreItem*> blobs_;
  std::map<oci::Digest, int> references_;
  std::vector<const StoredStep*> steps_to_go_;
  std::set<oci::Digest> blobs_to_go_;
  std::map<StoreItemKind, std::set<std::string>> to_go_;
  PruneReport report_;
};

}  // namespace

PruneReport prune(ContentStore& store, SnapshotStore& snapshots, CacheMounts& mounts, const PruneOptions& options,
                  UnixSeconds now) {
  return Pruning(store, snapshots, mounts, options, now).run();
}

}  // namespace kiln
