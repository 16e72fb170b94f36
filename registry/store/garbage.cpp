#include "registry/store/garbage.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"
#include "registry/store/lease_file.hpp"
#include "registry/store/pending_pushes.hpp"
#include "registry/store/remembered_layers.hpp"

namespace kiln {

namespace {

// A temporary file this young may belong to a process that has not locked it yet.
constexpr int kYoungestGarbageSeconds = 60;
// What AtomicFile writes is not locked, but renamed within moments.
constexpr int kYoungestUnlockedGarbageSeconds = 3600;

bool is_younger(const struct stat& info, int seconds) { return info.st_mtime > std::time(nullptr) - seconds; }

// Files and folders in tmp/ whose writers died: no process has them locked.
void remove_dead_temporaries(const fs::path& folder) {
  for (const std::string& name : list_directory(folder)) {
    const fs::path path = folder / name;
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0 || is_younger(info, kYoungestGarbageSeconds)) continue;
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) {
      const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    }
    remove_tree(path);
  }
}

// What an AtomicFile left behind whose process was killed.
void remove_dead_atomic_files(const fs::path& folder, int youngest_seconds) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (!name.starts_with('.') || !name.ends_with(".tmp")) continue;
    struct stat info;
    if (::lstat((folder / name).c_str(), &info) == 0 && !is_younger(info, youngest_seconds)) {
      ::unlink((folder / name).c_str());
    }
  }
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path.native());
}

// Before the indexes themselves go, so that a kill in between leaves no note about what is gone.
void forget_indexes_except(const ContentStore& store, const std::set<oci::Digest>& kept) {
  const fs::path folder = store.home().indexes();
  for (const std::string& name : list_directory(folder)) {
    const std::string text = "sha256:" + name;
    if (!oci::Digest::is_valid(text)) continue;
    const auto index = index_of_layer(store, oci::Digest::parse(text));
    if (!index || !kept.count(index->digest)) remove_file(folder / name);
  }
}

// The same of what layers were compressed to. Of `remembered` blobs the shape stays.
void forget_forms_except(const HomeLayout& home, const std::set<oci::Digest>& kept,
                         const std::set<oci::Digest>& remembered) {
  if (!fs::is_directory(fs::symlink_status(home.forms()))) return;
  for (const std::string& name : list_directory(home.forms())) {
    if (name.starts_with(".")) continue;
    const std::string text = read_note(home.forms() / name, 4096).value_or("");
    const std::string digest = text.substr(0, text.find(' '));
    const std::optional<oci::Digest> blob =
        oci::Digest::is_valid(digest) ? std::optional(oci::Digest::parse(digest)) : std::nullopt;
    const bool stays = blob && (kept.count(*blob) || (remembered.count(*blob) && is_shape_fact(name)));
    if (!stays) remove_file(home.forms() / name);
  }
}

// Files that are named by blobs, in a folder: where those were seen, what they hold.
void forget_files_of_blobs_except(const fs::path& folder, const std::set<oci::Digest>& kept,
                                  const std::set<oci::Digest>& remembered) {
  if (!fs::is_directory(fs::symlink_status(folder))) return;
  for (const std::string& name : list_directory(folder)) {
    const std::string text = "sha256:" + name;
    if (!oci::Digest::is_valid(text)) continue;
    const oci::Digest blob = oci::Digest::parse(text);
    if (!kept.count(blob) && !remembered.count(blob)) remove_file(folder / name);
  }
}

std::set<oci::Digest> reachable(const ContentStore& store, const std::function<std::set<oci::Digest>()>& roots) {
  std::set<oci::Digest> kept;
  for (const NamedImage& image : named_images(store)) {
    for (const oci::Descriptor& item : closure_of(store, image.descriptor, Absent::kept)) kept.insert(item.digest);
  }
  for (const oci::Digest& digest : read_leases(store.home())) kept.insert(digest);
  for (const PendingPush& push : PendingPushes(store.home()).list()) {
    for (const PendingPush::Blob& blob : push.blobs) kept.insert(blob.digest);
  }
  // After the leases: whose lease has gone by now has recorded all it did.
  kept.merge(roots());
  // A layer that stays keeps its file index: making that anew means reading the whole layer.
  std::set<oci::Digest> indexes;
  for (const oci::Digest& digest : kept) {
    const auto info = blob_info(store, digest);
    if (!info) continue;
    if (const auto index = index_of_layer(store, info->diff_id)) indexes.insert(index->digest);
  }
  kept.merge(indexes);
  return kept;
}

}  // namespace

std::set<oci::Digest> leased_blobs(const ContentStore& store) {
  if (!may_lease(store.home())) return {};
  const FileLock closed_leases = close_leases(store.home());
  return read_leases(store.home());
}

bool while_alone(const ContentStore& store, const std::function<void()>& body) {
  if (!may_lease(store.home())) return false;  // others may be at work, and would not be kept out
  const FileLock closed_leases = close_leases(store.home());
  for (const std::string& name : list_directory(store.home().leases())) {
    const fs::path file = store.home().leases() / name;
    if (file != store.lease_file() && fs::exists(file) && !FileLock::try_acquire(file, LockMode::exclusive))
      return false;
  }
  body();
  return true;
}

GarbageReport collect_garbage(ContentStore& store, const std::function<std::set<oci::Digest>()>& roots,
                              DryRun dry_run) {
  const HomeLayout& home = store.home();
  const FileLock lock = FileLock::acquire(home.locks() / "store", LockMode::exclusive);
  const FileLock closed_leases = close_leases(home);
  const std::set<oci::Digest> kept = reachable(store, roots);
  GarbageReport report;
  if (dry_run == DryRun::no) {
    forget_indexes_except(store, kept);
    const std::set<oci::Digest> remembered = remembered_blobs(store);
    forget_forms_except(home, kept, remembered);
    forget_files_of_blobs_except(home.seen_places(), kept, remembered);
    forget_files_of_blobs_except(home.blob_info(), kept, remembered);
    forget_files_of_blobs_except(home.attached(), kept, {});
    forget_files_of_blobs_except(home.provenance(), kept, {});
  }
  for (const std::string& name : list_directory(home.blobs())) {
    const std::string text = "sha256:" + name;
    if (!oci::Digest::is_valid(text) || kept.count(oci::Digest::parse(text))) continue;
    const fs::path path = home.blobs() / name;
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0) continue;
    ++report.blobs;
    report.bytes += static_cast<std::uint64_t>(info.st_size);
    if (dry_run == DryRun::yes) continue;
    remove_file(path);
  }
  if (dry_run == DryRun::yes) return report;
  remove_dead_temporaries(home.tmp());
  // index.json is written under the store's lock, which is ours.
  remove_dead_atomic_files(home.oci(), 0);
  std::vector<fs::path> folders = {home.root(),        home.indexes(),  home.blob_info(),  home.forms(),
                                   home.seen_places(), home.attached(), home.provenance(), home.steps(),
                                   home.builds(),      home.reports(),  home.debs(),       home.snapshots(),
                                   home.runtime()};
  for (const fs::path& top : {home.steps(), home.snapshots()}) {
    for (const std::string& name : list_directory(top)) folders.push_back(top / name);
  }
  for (const fs::path& folder : folders) {
    if (fs::is_directory(fs::symlink_status(folder))) remove_dead_atomic_files(folder, kYoungestUnlockedGarbageSeconds);
  }
  return report;
}

}  // namespace kiln
