#include "registry/store/content_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/file.hpp"
#include "registry/store/lease_file.hpp"

namespace kiln {

namespace {

constexpr std::size_t kSyncedOneByOne = 32;
constexpr std::uint64_t kWorthNoting = std::uint64_t{1}
                                       << 20;  // smaller blobs are hashed again as fast as they are looked up

}  // namespace

ContentStore::ContentStore(HomeLayout home) : home_(std::move(home)), lease_(std::make_unique<LeaseFile>(home_)) {}
ContentStore::~ContentStore() = default;

Error damaged_blob(const oci::Digest& digest, const oci::Digest& actual) {
  return Error(Category::machine,
               fmt::format("blob '{}' is damaged: its bytes have the digest '{}'; run 'kiln cache verify'",
                           digest.str(), actual.str()));
}

fs::path ContentStore::path_of(const oci::Digest& digest) const { return home_.blobs() / std::string(digest.hex()); }

bool ContentStore::has(const oci::Digest& digest) const { return size_of(digest).has_value(); }

std::optional<std::uint64_t> ContentStore::size_of(const oci::Digest& digest) const {
  if (digest.algorithm() != "sha256") return std::nullopt;  // kiln keeps no others
  struct stat info;
  if (::stat(path_of(digest).c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("stat", path_of(digest).native());
  }
  return static_cast<std::uint64_t>(info.st_size);
}

std::string ContentStore::read(const oci::Digest& digest, std::uint64_t max_bytes) const {
  const auto bytes = read_file_if_exists(path_of(digest), max_bytes);
  if (!bytes) {
    throw Error(Category::machine,
                fmt::format("blob '{}' is not in the store '{}'", digest.str(), home_.oci().native()));
  }
  if (const oci::Digest actual = oci::sha256_of(*bytes); actual != digest) throw damaged_blob(digest, actual);
  return *bytes;
}

Fd ContentStore::open(const oci::Digest& digest) const { return open_read(path_of(digest)); }

BlobWriter ContentStore::begin_blob(WriteBehind::Pages pages) { return BlobWriter(*this, pages); }

const fs::path& ContentStore::lease_file() const noexcept { return lease_->path; }

oci::Descriptor ContentStore::put(std::string_view bytes, std::string media_type, Durability durability) {
  oci::Descriptor descriptor;
  descriptor.media_type = std::move(media_type);
  descriptor.size = bytes.size();
  descriptor.digest = oci::sha256_of(bytes);
  lease(descriptor.digest);
  if (size_of(descriptor.digest) == bytes.size() && durability == Durability::ephemeral) {
    note_unsynced(descriptor.digest);  // the process that wrote it may not have synced it yet
    return descriptor;
  }
  BlobWriter writer = begin_blob();
  writer.write(bytes);
  writer.commit({}, durability);
  return descriptor;
}

void ContentStore::note_unsynced(const oci::Digest& digest) {
  const std::lock_guard lock(unsynced_mutex_);
  unsynced_.insert(digest);
}

void ContentStore::make_durable(const std::set<oci::Digest>& blobs) const {
  if (blobs.empty()) return;
  if (blobs.size() > kSyncedOneByOne) {
    const Fd folder = open_directory(home_.root());
    if (::syncfs(folder.get()) != 0) throw_errno("sync", home_.root().native());
    return;
  }
  for (const oci::Digest& digest : blobs) {
    const fs::path path = path_of(digest);
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file && errno == ENOENT) continue;  // a repair took it
    if (!file) throw_errno("open", path.native());
    if (::fsync(file.get()) != 0) throw_errno("sync", path.native());
  }
  sync_directory(home_.blobs());
}

void ContentStore::sync(const std::set<oci::Digest>& also) {
  // The lock makes a second caller wait for the first one, who may have taken its blobs along.
  const std::lock_guard guard(sync_mutex_);
  std::set<oci::Digest> blobs;
  {
    const std::lock_guard lock(unsynced_mutex_);
    blobs.swap(unsynced_);
  }
  blobs.insert(also.begin(), also.end());
  try {
    make_durable(blobs);
  } catch (const Error&) {
    const std::lock_guard lock(unsynced_mutex_);
    unsynced_.merge(blobs);
    throw;
  }
}

void ContentStore::lease(const oci::Digest& digest) {
  if (!lease_->add(digest) || digest.algorithm() != "sha256") return;
  ::utimensat(AT_FDCWD, path_of(digest).c_str(), nullptr, 0);  // where it is there
}

void ContentStore::note_written(const oci::Digest& digest, std::uint64_t bytes) {
  if (bytes < kWorthNoting) return;
  const std::lock_guard lock(written_mutex_);
  written_.insert(digest);
}

bool ContentStore::was_written_here(const oci::Digest& digest) const {
  const std::lock_guard lock(written_mutex_);
  return written_.contains(digest);
}

std::vector<ContentStore::StoredBlob> ContentStore::blobs() const {
  std::vector<StoredBlob> result;
  for (const std::string& name : list_directory(home_.blobs())) {
    struct stat info;
    if (!oci::Digest::is_valid("sha256:" + name) || ::lstat((home_.blobs() / name).c_str(), &info) != 0) continue;
    result.push_back({oci::Digest::parse("sha256:" + name), static_cast<std::uint64_t>(info.st_size), info.st_mtime});
  }
  return result;
}

void ContentStore::remove_damaged(const oci::Digest& digest) {
  {
    const std::lock_guard lock(written_mutex_);
    written_.erase(digest);
  }
  for (const fs::path& path : {path_of(digest), home_.blob_info() / std::string(digest.hex())}) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path.native());
  }
}

}  // namespace kiln
