#include "builder/store_care/verify_snapshots.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <atomic>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/run/snapshot_check.hpp"
#include "registry/oci/image_config.hpp"

// A snapshot is known by its chain ID, which is a digest of its layer's diff ID and of what lies below. Which layer
// that is, is found by trying every layer that has a file index over every chain that has a snapshot.

namespace kiln {

namespace {

std::string content_of(const fs::path& path, std::uint64_t& bytes, const CancelToken& cancel) {
  const Fd fd = open_read(path);
  oci::Sha256 hash;
  std::string buffer(std::size_t{256} << 10, '\0');
  while (const std::size_t got = read_some(fd, buffer.data(), buffer.size(), path.native())) {
    cancel.check();
    hash.update(std::string_view(buffer).substr(0, got));
    bytes += got;
  }
  return hash.finish().str();
}

// What is wrong with one entry of a snapshot; "" for nothing.
std::string entry_problem(const fs::path& folder, const Fd& opened, const FileEntry& entry, std::uint64_t& bytes,
                          const CancelToken& cancel) {
  std::string difference = entry_difference(opened, entry);
  if (!difference.empty() || entry.type != EntryType::file || entry.content.empty()) return difference;
  if (content_of(folder / entry.path, bytes, cancel) == entry.content.str()) return "";
  return fmt::format("the content of '/{}' is another one than its digest says", printable(entry.path));
}

// The diff ID of each snapshot's layer, by chain ID, as far as it can be found.
std::map<oci::Digest, oci::Digest> layers_of_chains(const ContentStore& store,
                                                    const std::vector<SnapshotInfo>& snapshots) {
  std::vector<oci::Digest> diff_ids;
  for (const std::string& name : list_directory(store.home().indexes())) {
    if (oci::Digest::is_valid("sha256:" + name)) diff_ids.push_back(oci::Digest::parse("sha256:" + name));
  }
  std::map<oci::Digest, oci::Digest> layers;
  for (const SnapshotInfo& info : snapshots) layers.emplace(info.chain_id, oci::Digest());
  std::vector<oci::Digest> below{oci::Digest()};
  for (const SnapshotInfo& info : snapshots) below.push_back(info.chain_id);
  for (const oci::Digest& parent : below) {
    for (const oci::Digest& diff_id : diff_ids) {
      const auto it = layers.find(oci::chain_id(parent, diff_id));
      if (it != layers.end()) it->second = diff_id;
    }
  }
  return layers;
}

}  // namespace

void verify_snapshots(ContentStore& store, SnapshotStore& snapshots, ThreadPool& pool, Repair repair,
                      const CancelToken& cancel, VerifyReport& report) {
  const std::vector<SnapshotInfo> all = snapshots.disk_usage();
  const auto layers = layers_of_chains(store, all);
  IndexCache indexes(store);
  std::map<std::uint64_t, StoreProblem> damaged;
  for (const SnapshotInfo& info : all) {
    std::shared_ptr<const FileIndex> index;
    try {
      const oci::Digest& diff_id = layers.at(info.chain_id);
      if (!diff_id.empty()) index = indexes.find(diff_id);
    } catch (const Error&) {
      // A damaged index is named with the blobs.
    }
    if (!index) {
      ++report.snapshots_unknown;
      continue;
    }
    ++report.snapshots;
    const fs::path folder = store.home().snapshots() / std::to_string(info.number);
    const auto& entries = index->entries();
    std::vector<std::string> problems(entries.size());
    std::atomic<std::uint64_t> bytes{0};
    const Fd files(::open((folder / "fs").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    pool.parallel_for(entries.size(), [&](std::size_t i) {
      std::uint64_t read = 0;
      try {
        problems[i] =
            files ? entry_problem(folder / "fs", files, entries[i], read, cancel) : "its folder of files is not there";
      } catch (const Error& error) {
        if (error.category() == Category::cancelled) throw;
        problems[i] = error.message();
      }
      bytes += read;
    });
    report.bytes += bytes;
    std::error_code error;
    if (!fs::exists(folder / "meta", error)) continue;  // taken away meanwhile
    for (const std::string& problem : problems) {
      if (problem.empty()) continue;
      damaged[info.number] = {fmt::format("snapshot {}", info.number), problem, "it is removed and unpacked again",
                              false};
      break;
    }
  }
  if (repair == Repair::yes && !damaged.empty()) {
    snapshots.prune([&](const SnapshotInfo& info) { return damaged.count(info.number) == 0; });
    for (auto& [number, problem] : damaged) {
      problem.repaired = !fs::exists(store.home().snapshots() / std::to_string(number) / "meta");
      if (!problem.repaired) problem.remedy = "a running kiln uses it; repair again when that has ended";
    }
  }
  for (auto& [number, problem] : damaged) report.problems.push_back(std::move(problem));
}

}  // namespace kiln
