#include "builder/run/snapshot_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/run/boot_id.hpp"
#include "builder/run/disk_space.hpp"
#include "builder/run/growing_snapshot.hpp"
#include "builder/run/runner.hpp"
#include "builder/run/snapshot_check.hpp"
#include "registry/oci/image_config.hpp"

// How processes agree. Folders appear and vanish only under locks/snapshots (exclusive): a new one is made and its lock
// file taken there, an unused one is renamed to "trash-N" there and removed afterwards. A process that found a folder
// by its chain takes its lock and then looks whether the folder is still in place. Making the snapshot of a chain is
// done under one of 256 locks that chains share by their first byte, so that the others wait for it instead of doing it
// too.

namespace kiln {

struct SnapshotChain::Held {
  Held(fs::path where, FileLock held) : folder(std::move(where)), lock(std::move(held)) {}
  fs::path folder;
  FileLock lock;
  std::atomic<bool> is_checked{false};  // in this boot
};

namespace {

constexpr std::string_view kTrash = "trash-";
constexpr int kLockTries = 100;
constexpr int kLockWaitMs = 10;

struct Meta {
  std::string chain;
  std::string boot;
  std::string kind;
};

std::string meta_text(const Meta& meta) {
  return fmt::format("kiln snapshot 1\nchain {}\nboot {}\nkind {}\n", meta.chain, meta.boot, meta.kind);
}

std::optional<Meta> read_meta(const fs::path& folder) {
  const auto text = read_note(folder / "meta", 4096);
  if (!text) return std::nullopt;
  const auto lines = split(*text, '\n');
  if (lines.size() != 5 || lines[0] != "kiln snapshot 1") return std::nullopt;
  if (!lines[1].starts_with("chain ") || !lines[2].starts_with("boot ") || !lines[3].starts_with("kind "))
    return std::nullopt;
  return Meta{std::string(lines[1].substr(6)), std::string(lines[2].substr(5)), std::string(lines[3].substr(5))};
}

bool is_number(std::string_view name) { return parse_unsigned(name).has_value(); }

// The exclusive lock of a folder that its owner, another process, may be taking away just now.
std::optional<FileLock> lock_if_there(const fs::path& folder) {
  try {
    return FileLock::try_acquire(folder / "lock", LockMode::exclusive);
  } catch (const Error&) {
    if (fs::exists(folder)) throw;
    return std::nullopt;
  }
}

FileLock lock_top(const fs::path& locks) { return FileLock::acquire(locks / "snapshots", LockMode::exclusive); }

}  // namespace

SnapshotUpper::SnapshotUpper(fs::path folder, FileLock lock)
    : folder_(std::move(folder)),
      folders_{folder_ / "fs", folder_ / "work", folder_ / "scratch"},
      lock_(std::move(lock)) {}

SnapshotUpper::SnapshotUpper(SnapshotUpper&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), folders_(std::move(other.folders_)), lock_(std::move(other.lock_)) {}

SnapshotUpper& SnapshotUpper::operator=(SnapshotUpper&& other) noexcept {
  if (this != &other) {
    discard();
    folder_ = std::exchange(other.folder_, {});
    folders_ = std::move(other.folders_);
    lock_ = std::move(other.lock_);
  }
  return *this;
}

SnapshotUpper::~SnapshotUpper() { discard(); }

void SnapshotUpper::discard() noexcept {
  if (folder_.empty()) return;
  try {
    remove_tree(folder_);
  } catch (const std::exception&) {
    // Without its meta file the folder has no owner, and the next kiln removes what is left.
  }
  folder_.clear();
  lock_.reset();
}

SnapshotStore::SnapshotStore(ContentStore& store, ThreadPool& pool, DamageHeard heard)
    : store_(store), pool_(pool), damage_heard_(std::move(heard)), top_(store.home().snapshots()) {
  switch (current_privileges()) {
    case Privileges::root:
      kind_ = Kind::trusted;
      break;
    case Privileges::user_namespace_root:
      kind_ = Kind::user;
      break;
    case Privileges::none:
      kind_ = Kind::plain;
      break;
  }
  xattrs_ = kind_ == Kind::trusted ? OverlayXattrs::trusted : OverlayXattrs::user;
}

std::string_view SnapshotStore::kind_text() const {
  switch (kind_) {
    case Kind::trusted:
      return "trusted";
    case Kind::user:
      return "user";
    case Kind::plain:
      return "plain";
  }
  return "plain";
}

SnapshotStore::Held SnapshotStore::hold(const fs::path& folder, FileLock lock) {
  auto held = std::make_shared<SnapshotChain::Held>(folder, std::move(lock));
  const std::lock_guard guard(mutex_);
  held_[folder] = held;
  return held;
}

SnapshotStore::Held SnapshotStore::find(const oci::Digest& chain_id) {
  const fs::path link = top_ / "chains" / std::string(chain_id.hex());
  for (int tries = 0; tries < kLockTries; ++tries) {
    std::error_code error;
    const fs::path target = fs::read_symlink(link, error);
    if (error || !is_number(target.native())) return nullptr;
    const fs::path folder = top_ / target;
    {
      const std::lock_guard guard(mutex_);
      if (const auto it = held_.find(folder); it != held_.end()) {
        if (auto held = it->second.lock()) return held;
      }
    }
    if (!fs::exists(folder / "lock", error)) return nullptr;
    // An exclusive lock is held for a moment only: by who publishes it, looks whether it is in use, or takes it away.
    std::optional<FileLock> lock = FileLock::try_acquire(folder / "lock", LockMode::shared);
    if (!lock) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kLockWaitMs));
      continue;
    }
    // It may be the lock of a folder that was taken away meanwhile.
    struct stat mine {};
    struct stat there {};
    if (::fstat(lock->fd().get(), &mine) != 0 || ::stat((folder / "lock").c_str(), &there) != 0) continue;
    if (mine.st_ino != there.st_ino) continue;
    if (!is_usable(folder, chain_id)) return nullptr;
    ::futimens(lock->fd().get(), nullptr);  // for prune: when it was last used
    return hold(folder, std::move(*lock));
  }
  return nullptr;
}

SnapshotStore::Held SnapshotStore::find_checked(const oci::Digest& chain_id, const SnapshotLayer& layer,
                                                const CancelToken& cancel) {
  Held held = find(chain_id);
  if (!held || held->is_checked) return held;
  const fs::path& folder = held->folder;
  const std::optional<Meta> meta = read_meta(folder);
  struct stat made {};
  if (!meta || ::stat((folder / "meta").c_str(), &made) != 0) return nullptr;
  const std::string boot = boot_id();
  if (meta->boot != boot && trim(read_note(folder / "checked", 64).value_or("")) != boot) {
    const std::string difference = snapshot_difference(folder / "fs", *layer.index, made.st_mtim, pool_, cancel);
    if (!difference.empty()) {
      if (damage_heard_) {
        damage_heard_(fmt::format("the unpacked layer {} is damaged: {}; it is unpacked again",
                                  layer.diff_id.str().substr(0, 19), difference));
      }
      // Who mounts it meanwhile keeps its folder, as long as it is locked.
      std::error_code error;
      fs::remove(folder / "meta", error);
      const std::lock_guard guard(mutex_);
      held_.erase(folder);
      return nullptr;
    }
    write_file_atomically(folder / "checked", boot + "\n", Durability::ephemeral);
  }
  held->is_checked = true;
  return held;
}

bool SnapshotStore::is_usable(const fs::path& folder, const oci::Digest& chain_id) const {
  const std::optional<Meta> meta = read_meta(folder);
  if (!meta || meta->chain != chain_id.str() || meta->kind != kind_text()) return false;
  std::error_code error;
  return meta->boot == boot_id() || fs::exists(folder / "synced", error);
}

FileLock SnapshotStore::lock_chain(const oci::Digest& chain_id, const CancelToken& cancel) const {
  const fs::path path = store_.home().locks() / fmt::format("snapshot-{}", chain_id.hex().substr(0, 2));
  for (;;) {
    if (auto lock = FileLock::try_acquire(path, LockMode::exclusive)) return std::move(*lock);
    cancel.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

SnapshotUpper SnapshotStore::begin_upper() {
  bool clean = false;
  {
    const std::lock_guard guard(mutex_);
    clean = !std::exchange(leftovers_removed_, true);
  }
  // What has a meta file is a snapshot; everything else that is not locked was left behind.
  if (clean) remove_unused([](const fs::path& folder) { return fs::exists(folder / "meta"); });

  const FileLock top = lock_top(store_.home().locks());
  std::uint64_t number = parse_unsigned(trim(read_note(top_ / "next", 64).value_or(""))).value_or(1);
  while (::mkdir((top_ / std::to_string(number)).c_str(), 0700) != 0) {
    if (errno != EEXIST) throw_errno("create", (top_ / std::to_string(number)).native());
    ++number;
  }
  write_file_atomically(top_ / "next", std::to_string(number + 1) + "\n", Durability::ephemeral);
  const fs::path folder = top_ / std::to_string(number);
  SnapshotUpper upper(folder, FileLock::acquire(folder / "lock", LockMode::exclusive));
  for (const fs::path& part : {upper.folders_.fs, upper.folders_.work, upper.folders_.scratch}) {
    if (::mkdir(part.c_str(), 0755) != 0) throw_errno("create", part.native());
  }
  return upper;
}

SnapshotStore::Held SnapshotStore::publish(SnapshotUpper snapshot, const oci::Digest& chain_id) {
  const fs::path folder = snapshot.folder_;
  remove_tree(snapshot.folders_.work);
  remove_tree(snapshot.folders_.scratch);
  write_file_atomically(folder / "meta", meta_text({chain_id.str(), boot_id(), std::string(kind_text())}),
                        Durability::ephemeral);
  const fs::path temporary = top_ / "chains" / fmt::format("new-{}", folder.filename().native());
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(folder.filename(), temporary);
  fs::rename(temporary, top_ / "chains" / std::string(chain_id.hex()));
  // The kernel releases the exclusive lock before it grants the shared one; no folder is taken away meanwhile.
  const FileLock top = lock_top(store_.home().locks());
  if (::flock(snapshot.lock_->fd().get(), LOCK_SH) != 0) throw_errno("lock", folder.native());
  FileLock lock = std::move(*snapshot.lock_);
  snapshot.lock_.reset();
  snapshot.folder_.clear();
  return hold(folder, std::move(lock));
}

UnpackOptions SnapshotStore::unpack_options() const {
  UnpackOptions options;
  options.overlay_xattrs = xattrs_;
  options.ownership = kind_ != Kind::plain;
  options.devices = kind_ == Kind::trusted;
  return options;
}

SnapshotStore::Held SnapshotStore::make(const oci::Digest& chain_id, const SnapshotLayer& layer,
                                        const LowerLayers& lower, const CancelToken& cancel) {
  const std::optional<oci::Descriptor> blob = layer.blob();
  if (!blob) return nullptr;
  SnapshotUpper snapshot = begin_upper();
  unpack_layer(store_, pool_, *blob, layer.index.get(), snapshot.folders().fs, lower, unpack_options(), cancel);
  return publish(std::move(snapshot), chain_id);
}

void SnapshotStore::fetch_above(WorkAhead& ahead, oci::Digest chain_id, std::span<const SnapshotLayer> layers) {
  for (const SnapshotLayer& layer : layers) {
    chain_id = oci::chain_id(chain_id, layer.diff_id);
    if (!find(chain_id)) ahead.add([blob = layer.blob] { blob(); });
  }
}

std::optional<SnapshotChain> SnapshotStore::try_ensure(const std::vector<SnapshotLayer>& layers,
                                                       const CancelToken& cancel) {
  SnapshotChain chain;
  LowerLayers lower;
  std::optional<WorkAhead> ahead;
  for (const SnapshotLayer& layer : layers) {
    cancel.check();
    const oci::Digest id = oci::chain_id(chain.chain_id_, layer.diff_id);
    Held held = find_checked(id, layer, cancel);
    if (!held) {
      const FileLock making = lock_chain(id, cancel);
      held = find_checked(id, layer, cancel);
      if (!held) {
        // Only now: who else wants these layers waits for the first of them, so that none is fetched twice.
        if (!ahead) {
          ahead.emplace(kBlobsAhead);
          fetch_above(*ahead, id, std::span(layers).subspan(chain.folders_.size() + 1));
        }
        held = make(id, layer, lower, cancel);
        if (!held) return std::nullopt;
      }
    }
    chain.chain_id_ = id;
    chain.folders_.push_back(held->folder / "fs");
    chain.held_.push_back(std::move(held));
    lower.view = lower.view.with_layer(layer.index);
    lower.folders.push_back(chain.folders_.back());
  }
  return chain;
}

void SnapshotStore::adopt(SnapshotUpper upper, const oci::Digest& chain_id) {
  const FileLock making = lock_chain(chain_id, CancelToken());
  if (find(chain_id)) return;
  publish(std::move(upper), chain_id);
}

std::unique_ptr<GrowingSnapshot> SnapshotStore::begin_growing(LowerLayers lower, const CancelToken& cancel) {
  return std::unique_ptr<GrowingSnapshot>(
      new GrowingSnapshot(begin_upper(), std::move(lower), unpack_options(), pool_, cancel));
}

void SnapshotStore::adopt(std::unique_ptr<GrowingSnapshot> snapshot, const oci::Digest& chain_id) {
  if (auto upper = snapshot->finish()) adopt(std::move(*upper), chain_id);
}

void SnapshotStore::mark_settled(std::chrono::seconds settled) {
  const std::time_t latest = std::time(nullptr) - settled.count();
  std::vector<fs::path> unmarked;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(top_, error)) {
    const fs::path& folder = entry.path();
    struct stat made {};
    if (!is_number(folder.filename().native()) || fs::exists(folder / "synced", error)) continue;
    if (::stat((folder / "meta").c_str(), &made) != 0 || made.st_mtime > latest) continue;
    const std::optional<Meta> meta = read_meta(folder);
    if (meta && meta->boot == boot_id()) unmarked.push_back(folder);
  }
  if (unmarked.empty()) return;
  const Fd top = open_directory(top_);
  if (::syncfs(top.get()) != 0) throw_errno("sync", top_.native());
  // A mark that a crash loses costs unpacking once more, so the marks need no sync of their own; nor does it matter
  // that a prune takes one away meanwhile.
  for (const fs::path& folder : unmarked) {
    const Fd mark(::open((folder / "synced").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!mark && errno != ENOENT) throw_errno("create", (folder / "synced").native());
  }
}

std::vector<SnapshotInfo> SnapshotStore::disk_usage() {
  std::vector<SnapshotInfo> result;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(top_, error)) {
    const fs::path& folder = entry.path();
    const auto number = parse_unsigned(folder.filename().native());
    const auto meta = number ? read_meta(folder) : std::nullopt;
    if (!meta || !oci::Digest::is_valid(meta->chain)) continue;
    SnapshotInfo info;
    info.number = *number;
    info.chain_id = oci::Digest::parse(meta->chain);
    struct stat status {};
    if (::stat((folder / "lock").c_str(), &status) != 0) continue;
    info.last_used = status.st_mtime;
    info.in_use = !FileLock::try_acquire(folder / "lock", LockMode::exclusive);
    const auto known = parse_unsigned(trim(read_note(folder / "bytes", 64).value_or("")));
    info.bytes = known ? *known : disk_space(folder / "fs");
    if (!known && ::access(folder.c_str(), W_OK) == 0)
      write_file_atomically(folder / "bytes", std::to_string(info.bytes) + "\n", Durability::ephemeral);
    result.push_back(std::move(info));
  }
  return result;
}

std::uint64_t SnapshotStore::remove_unused(const std::function<bool(const fs::path&)>& wanted) {
  std::vector<fs::path> trash;
  {
    const FileLock top = lock_top(store_.home().locks());
    std::error_code error;
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(top_, error)) folders.push_back(entry.path());
    for (const fs::path& folder : folders) {
      const std::string name = folder.filename();
      // Left by a removal that did not come to its end; one that is going on is helped.
      if (name.starts_with(kTrash)) trash.push_back(folder);
      if (!is_number(name) || wanted(folder)) continue;
      const auto lock = lock_if_there(folder);
      if (!lock) continue;
      const std::optional<Meta> meta = read_meta(folder);
      if (meta && oci::Digest::is_valid(meta->chain)) {
        const fs::path link = top_ / "chains" / std::string(oci::Digest::parse(meta->chain).hex());
        if (fs::read_symlink(link, error) == folder.filename()) fs::remove(link, error);
      }
      const fs::path away = top_ / (std::string(kTrash) + name);
      fs::rename(folder, away, error);
      if (!error) trash.push_back(away);
    }
  }
  std::uint64_t bytes = 0;
  for (const fs::path& folder : trash) {
    bytes += disk_space(folder);
    std::error_code error;
    if (fs::exists(folder, error)) remove_tree(folder);
  }
  return bytes;
}

std::uint64_t SnapshotStore::prune(const std::function<bool(const SnapshotInfo&)>& keep) {
  std::set<std::string> kept;
  for (const SnapshotInfo& info : disk_usage()) {
    if (info.in_use || keep(info)) kept.insert(std::to_string(info.number));
  }
  return remove_unused([&](const fs::path& folder) { return kept.count(folder.filename().native()) != 0; });
}

}  // namespace kiln
