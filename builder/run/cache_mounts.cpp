#include "builder/run/cache_mounts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/run/disk_space.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr int kWaitMs = 50;

// The id stands last, since it may hold any text.
std::string meta_text(const CacheMountName& name, const std::string& id) {
  return fmt::format("kiln cache mount 1\nmode {:o}\nuid {}\ngid {}\nid {}\n", name.mode, name.uid, name.gid, id);
}

std::optional<CacheMountName> parse_meta(std::string_view text) {
  CacheMountName name;
  const auto take = [&](std::string_view key, int base) -> std::optional<std::uint64_t> {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(key)) return std::nullopt;
    const auto value = parse_unsigned(text.substr(key.size(), end - key.size()), base);
    text.remove_prefix(end + 1);
    return value;
  };
  constexpr std::string_view kHeader = "kiln cache mount 1\n";
  if (!text.starts_with(kHeader)) return std::nullopt;
  text.remove_prefix(kHeader.size());
  const auto mode = take("mode ", 8);
  const auto uid = take("uid ", 10);
  const auto gid = take("gid ", 10);
  if (!mode || !uid || !gid || !text.starts_with("id ") || !text.ends_with('\n')) return std::nullopt;
  name.mode = static_cast<unsigned>(*mode);
  name.uid = static_cast<std::uint32_t>(*uid);
  name.gid = static_cast<std::uint32_t>(*gid);
  name.id = text.substr(3, text.size() - 4);
  return name;
}

fs::path lock_path(const HomeLayout& home, const std::string& folder) {
  return home.locks() / ("cache-mount-" + folder);
}

// Makes the folder, whole or not at all. The caller holds its lock exclusively.
void make_cache(const HomeLayout& home, const std::string& folder, const CacheMountName& name,
                const std::function<void(const fs::path&)>& fill) {
  TempDir draft(home.tmp(), "cache-");
  const fs::path data = draft.path() / "data";
  make_directories(data);
  if (::chown(data.c_str(), name.uid, name.gid) != 0) throw_errno("change the owner of", data.native());
  if (::chmod(data.c_str(), name.mode & 07777) != 0) throw_errno("change the mode of", data.native());
  if (fill) fill(data);
  write_file_atomically(draft.path() / "meta", meta_text(name, name.shown_id()), Durability::ephemeral);
  fs::rename(draft.path(), home.cache_mounts() / folder);
  draft.release();
}

// A lock that is shared, or exclusive, within the wait that `cancel` allows.
FileLock wait_for_lock(const fs::path& path, LockMode mode, const CancelToken& cancel) {
  for (;;) {
    if (auto lock = FileLock::try_acquire(path, mode)) return std::move(*lock);
    cancel.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(kWaitMs));
  }
}

}  // namespace

std::string CacheMounts::folder_name(const CacheMountName& name) {
  return std::string(oci::sha256_of(meta_text(name, name.id)).hex().substr(0, 32));
}

CacheMountLease CacheMounts::acquire(const CacheMountName& name, CacheMountSharing sharing, const CancelToken& cancel,
                                     const std::function<void(const fs::path&)>& fill) {
  const LockMode mode = sharing == CacheMountSharing::shared ? LockMode::shared : LockMode::exclusive;
  for (unsigned number = 0;;) {
    const std::string folder = fmt::format("{}-{}", folder_name(name), number);
    const fs::path lock_file = lock_path(home_, folder);
    std::optional<FileLock> lock;
    if (sharing == CacheMountSharing::private_) {
      lock = FileLock::try_acquire(lock_file, mode);
      if (!lock) {
        ++number;
        continue;
      }
    } else {
      lock = wait_for_lock(lock_file, mode, cancel);
    }
    const fs::path meta = home_.cache_mounts() / folder / "meta";
    std::error_code error;
    const bool is_new = !fs::exists(meta, error);
    if (is_new && mode == LockMode::shared) {
      // Only an exclusive holder makes it; then the lock is taken anew, so that others may share it.
      lock.reset();
      const FileLock making = wait_for_lock(lock_file, LockMode::exclusive, cancel);
      if (!fs::exists(meta, error)) make_cache(home_, folder, name, fill);
      continue;
    }
    if (is_new) make_cache(home_, folder, name, fill);
    if (name.masked_id.empty()) {
      ::utimensat(AT_FDCWD, meta.c_str(), nullptr, 0);
    } else {
      // A build that did not know it for a secret's may have written the id itself.
      write_file_atomically(meta, meta_text(name, name.masked_id), Durability::ephemeral);
    }
    return CacheMountLease(home_.cache_mounts() / folder / "data", std::move(*lock));
  }
}

std::vector<std::shared_ptr<const CacheMountLease>> CacheMounts::acquire_all(
    const std::vector<WantedCacheMount>& wanted, const CancelToken& cancel) {
  std::map<std::string, const WantedCacheMount*> firsts;
  for (const WantedCacheMount& mount : wanted) firsts.emplace(folder_name(mount.name), &mount);
  std::map<std::string, std::shared_ptr<const CacheMountLease>> leases;
  for (const auto& [folder, mount] : firsts) {
    leases[folder] = std::make_shared<const CacheMountLease>(acquire(mount->name, mount->sharing, cancel, mount->fill));
  }
  std::vector<std::shared_ptr<const CacheMountLease>> result;
  for (const WantedCacheMount& mount : wanted) result.push_back(leases.at(folder_name(mount.name)));
  return result;
}

std::optional<CacheMountLease> CacheMounts::try_lock(const CacheMountName& name) const {
  const std::string folder = folder_name(name) + "-0";
  auto lock = FileLock::try_acquire(lock_path(home_, folder), LockMode::exclusive);
  std::error_code error;
  if (!lock || !fs::exists(home_.cache_mounts() / folder / "meta", error)) return std::nullopt;
  return CacheMountLease(home_.cache_mounts() / folder / "data", std::move(*lock));
}

std::vector<CacheMountInfo> CacheMounts::disk_usage() const {
  std::vector<CacheMountInfo> result;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home_.cache_mounts(), error)) {
    const auto text = read_note(entry.path() / "meta", 1 << 20);
    const auto name = text ? parse_meta(*text) : std::nullopt;
    struct stat status {};
    if (!name || ::stat((entry.path() / "meta").c_str(), &status) != 0) continue;
    CacheMountInfo info;
    info.name = *name;
    info.folder = entry.path();
    info.bytes = disk_space(entry.path() / "data");
    info.last_used = status.st_mtime;
    info.in_use = !FileLock::try_acquire(lock_path(home_, entry.path().filename()), LockMode::exclusive);
    result.push_back(std::move(info));
  }
  return result;
}

std::uint64_t CacheMounts::prune(const std::function<bool(const CacheMountInfo&)>& keep) {
  std::uint64_t freed = 0;
  for (const CacheMountInfo& info : disk_usage()) {
    if (info.in_use || keep(info)) continue;
    const auto lock = FileLock::try_acquire(lock_path(home_, info.folder.filename()), LockMode::exclusive);
    if (!lock) continue;
    // Away in one move: a cache that is half removed would look whole.
    const TempDir away(home_.tmp(), "cache-");
    std::error_code error;
    fs::rename(info.folder, away.path() / "removed", error);
    if (!error) freed += info.bytes;
  }
  return freed;
}

}  // namespace kiln
