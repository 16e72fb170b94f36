#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/lease_file.hpp"

namespace kiln {

namespace {

// A temporary file this young may belong to a process that has not locked it yet.
constexpr int kYoungestGarbageSeconds = 60;

void remove_dead_temporaries(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    struct stat info;
    if (::lstat(entry.path().c_str(), &info) != 0 || info.st_mtime > std::time(nullptr) - kYoungestGarbageSeconds) continue;
    if (!S_ISREG(info.st_mode)) continue;
    if (FileLock::try_acquire(entry.path(), LockMode::exclusive)) ::unlink(entry.path().c_str());
  }
}

}  // namespace

GarbageReport ContentStore::collect_garbage(const std::set<oci::Digest>& roots, DryRun dry_run) {
  const FileLock lock = FileLock::acquire(home_.locks() / "store", LockMode::exclusive);
  std::set<oci::Digest> kept = roots;
  for (const NamedImage& image : images()) {
    for (const oci::Descriptor& item : closure(image.descriptor)) kept.insert(item.digest);
  }
  // Leases are read after the images: whoever publishes in between holds leases on what it names.
  for (const oci::Digest& digest : read_leases(home_)) kept.insert(digest);
  GarbageReport report;
  for (const auto& entry : fs::directory_iterator(home_.blobs())) {
    const std::string text = "sha256:" + entry.path().filename().native();
    if (oci::Digest::is_valid(text) && kept.count(oci::Digest::parse(text))) continue;
    struct stat info;
    if (::lstat(entry.path().c_str(), &info) != 0) continue;
    ++report.blobs;
    report.bytes += static_cast<std::uint64_t>(info.st_size);
    if (dry_run == DryRun::no && ::unlink(entry.path().c_str()) != 0 && errno != ENOENT) {
      throw_errno("remove", entry.path().native());
    }
  }
  if (dry_run == DryRun::no) remove_dead_temporaries(home_.tmp());
  return report;
}

}  // namespace kiln
