#include "builder/store_care/verify_snapshots.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/file_index.hpp"
#include "registry/oci/image_config.hpp"

// A snapshot is known by its chain ID, which is a digest of its layer's diff ID and of what lies below. Which layer
// that is, is found by trying every layer that has a file index over every chain that has a snapshot.

namespace kiln {

namespace {

// The bits that both the file and the index tell.
bool is_of_type(const struct stat& info, EntryType type) {
  switch (type) {
    case EntryType::file:
    case EntryType::hardlink:
      return S_ISREG(info.st_mode) || S_ISLNK(info.st_mode);  // a hard link may name a symlink
    case EntryType::directory:
      return S_ISDIR(info.st_mode);
    case EntryType::symlink:
      return S_ISLNK(info.st_mode);
    case EntryType::fifo:
      return S_ISFIFO(info.st_mode);
    case EntryType::whiteout:
      return S_ISCHR(info.st_mode);
    default:
      return true;  // devices cannot be made everywhere; an opaque marker is an attribute of its folder
  }
}

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
std::string entry_problem(const fs::path& folder, const FileEntry& entry, std::uint64_t& bytes,
                          const CancelToken& cancel) {
  const fs::path path = folder / entry.path;
  struct stat info {};
  const bool may_be_absent = entry.type == EntryType::char_device || entry.type == EntryType::block_device ||
                             entry.type == EntryType::whiteout;
  if (::lstat(path.c_str(), &info) != 0) {
    if (may_be_absent) return "";
    return errno == ENOENT || errno == ENOTDIR ? fmt::format("'/{}' is not there", printable(entry.path))
                                               : errno_text(errno);
  }
  if (!is_of_type(info, entry.type)) return fmt::format("'/{}' is of another type", printable(entry.path));
  if (entry.type == EntryType::symlink) {
    std::error_code error;
    const std::string target = fs::read_symlink(path, error).native();
    return target == entry.link ? ""
                                : fmt::format("'/{}' leads to '{}', expected '{}'", printable(entry.path),
                                              printable(target), printable(entry.link));
  }
  if (entry.type == EntryType::directory || entry.type == EntryType::file) {
    if ((info.st_mode & 07777) != entry.mode)
      return fmt::format("'/{}' has mode {:o}, expected {:o}", printable(entry.path), info.st_mode & 07777, entry.mode);
  }
  if (entry.type != EntryType::file || entry.content.empty()) return "";
  if (static_cast<std::uint64_t>(info.st_size) != entry.size) {
    return fmt::format("'/{}' has {} bytes, expected {}", printable(entry.path), info.st_size, entry.size);
  }
  if (content_of(path, bytes, cancel) == entry.content.str()) return "";
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
    pool.parallel_for(entries.size(), [&](std::size_t i) {
      std::uint64_t read = 0;
      try {
        problems[i] = entry_problem(folder / "fs", entries[i], read, cancel);
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
