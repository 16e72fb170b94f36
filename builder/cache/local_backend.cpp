#include "builder/cache/local_backend.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "registry/store/verifying_reader.hpp"

namespace kiln {

namespace {

constexpr std::string_view kFolderVersion = "kiln cache 1\n";
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

// Before a file is renamed to `path`, which would be refused for the folder that stands there. Error{network}, as of
// one key: the other ones can be written still.
void refuse_folder_at(const fs::path& path) {
  std::error_code code;
  if (fs::is_directory(fs::symlink_status(path, code))) {
    throw Error(Category::network,
                fmt::format("'{}' is a folder, where a file of the cache belongs; remove it", path.native()));
  }
}

constexpr UnixSeconds kTouchedAgainSeconds = 3600;

struct FileTime {
  std::uint64_t bytes = 0;
  UnixSeconds last_used = 0;
};

std::optional<FileTime> file_time(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileTime{static_cast<std::uint64_t>(status.st_size), status.st_mtime};
}

void refuse_link_at(const fs::path& folder) {
  std::error_code code;
  if (fs::is_symlink(fs::symlink_status(folder, code))) {
    throw Error(Category::machine,
                fmt::format("'{}' is a link, where a folder of the cache belongs; remove it", folder.native()));
  }
}

enum class Missing { stays, is_made };

Fd open_part(const Fd& parent, const std::string& name, const fs::path& shown, Missing missing) {
  for (;;) {
    Fd folder(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder) return folder;
    if (errno == ENOENT && missing == Missing::stays) return folder;
    if (errno != ENOENT) {
      const int failed = errno;
      refuse_link_at(shown);
      errno = failed;
      throw_errno("open folder", shown.native());
    }
    if (::mkdirat(parent.get(), name.c_str(), 0777) != 0 && errno != EEXIST)
      throw_errno("create folder", shown.native());
  }
}

// The folder `first`/`second` of a cache. By descriptors: others may write to the cache, and by a link in place of one
// of its folders they would choose where this machine writes, and what it deletes.
Fd open_cache_folder(const fs::path& cache, const std::string& first, const std::string& second, Missing missing) {
  const Fd outer = open_part(open_directory(cache), first, cache / first, missing);
  return outer ? open_part(outer, second, cache / first / second, missing) : Fd();
}

// What was used now is the last that a prune takes. Who may only read leaves the time as it is.
void note_use(const fs::path& path) {
  const auto time = file_time(path);
  if (time && now_unix_seconds() - time->last_used > kTouchedAgainSeconds)
    ::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

// False where the file was used or replaced since it was listed.
bool remove_if_unused(const fs::path& cache, const std::string& first, const std::string& second,
                      const std::string& name, UnixSeconds last_used) {
  const Fd inner = open_cache_folder(cache, first, second, Missing::stays);
  if (!inner) return true;
  struct stat status {};
  if (::fstatat(inner.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) return true;
  if (status.st_mtime != last_used) return false;
  if (::unlinkat(inner.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    throw_errno("remove", (cache / first / second / name).native());
  return true;
}

}  // namespace

LocalBackend::LocalBackend(fs::path folder)
    : folder_(std::move(folder)), name_(fmt::format("folder '{}'", folder_.native())) {}

fs::path LocalBackend::entry_path(std::string_view key) const {
  return folder_ / "entries" / std::string(key.substr(0, 2)) / std::string(key);
}

fs::path LocalBackend::blob_path(const oci::Digest& digest) const {
  return folder_ / "blobs/sha256" / std::string(digest.hex());
}

bool LocalBackend::is_there() const {
  for (const char* folder : {"entries", "blobs", "blobs/sha256"}) refuse_link_at(folder_ / folder);
  std::error_code code;
  const fs::file_status status = fs::status(folder_ / "version", code);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(Category::machine, fmt::format("'{}' is no regular file", (folder_ / "version").native()));
  const auto read_version = [&] { return read_file_if_exists(folder_ / "version", 64); };
  const auto version = read_version();
  if (version && *version == kFolderVersion) return true;
  if (version)
    throw Error(Category::machine,
                fmt::format("'{}' is a cache of another version of kiln; use another folder", folder_.native()));
  if (!fs::is_directory(folder_, code)) return false;
  const std::vector<std::string> names = list_directory(folder_);
  // Somebody else may be about to write the version, or have done so since we looked.
  const auto is_own = [](const std::string& name) { return name.find("version") != std::string::npos; };
  if (!std::all_of(names.begin(), names.end(), is_own) && read_version() != kFolderVersion) {
    throw Error(Category::machine,
                fmt::format("'{}' holds something else than a cache of kiln; use an empty folder", folder_.native()));
  }
  return false;
}

void LocalBackend::prepare() {
  if (is_there()) return;
  make_directories(folder_);
  write_file_atomically(folder_ / "version", kFolderVersion);
}

std::vector<CacheFinding> LocalBackend::find(std::span<const std::string> keys) {
  std::vector<CacheFinding> findings(keys.size());
  if (!is_there()) return findings;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const fs::path path = entry_path(keys[i]);
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
      findings[i].reason = fmt::format("cache entry '{}' is no regular file", path.native());
      continue;
    }
    if (const auto size = fs::file_size(path, code); !code && size > 2 * kMaxEntryBytes) {
      findings[i].reason = fmt::format("cache entry '{}' has {} bytes, more than the {} allowed", path.native(), size,
                                       2 * kMaxEntryBytes);
      continue;
    }
    try {
      const auto text = read_file_if_exists(path, 2 * kMaxEntryBytes);
      if (!text) continue;
      findings[i].entry = parse_entry(*text, keys[i], fmt::format("cache entry '{}'", path.native()));
      note_use(path);
    } catch (const Error& error) {
      findings[i].reason = error.message();
    }
  }
  return findings;
}

void LocalBackend::put(const CacheEntry& entry) {
  prepare();
  const fs::path path = entry_path(entry.key);
  refuse_folder_at(path);
  AtomicFile file(open_cache_folder(folder_, "entries", entry.key.substr(0, 2), Missing::is_made), path);
  file.write(serialise(entry));
  file.commit();
}

bool LocalBackend::remove(const CacheEntry& entry) {
  const Fd folder = open_cache_folder(folder_, "entries", entry.key.substr(0, 2), Missing::stays);
  return !folder || ::unlinkat(folder.get(), entry.key.c_str(), 0) == 0 || errno == ENOENT;
}

bool LocalBackend::has_blob(const oci::Descriptor& blob) {
  std::error_code code;
  const auto size = fs::file_size(blob_path(blob.digest), code);
  return !code && size == blob.size;
}

bool LocalBackend::get_blob(const oci::Descriptor& blob, ContentStore& store) {
  if (!has_blob(blob)) return false;
  const fs::path path = blob_path(blob.digest);
  const Fd file = open_read(path);
  BlobWriter writer = store.begin_blob();
  std::string buffer(kCopyBytes, '\0');
  // One that grew since it was looked at is not read to its end, which may never come.
  std::uint64_t bytes = 0;
  while (bytes <= blob.size) {
    const std::size_t got = read_some(file, buffer.data(), buffer.size(), path.native());
    if (got == 0) break;
    writer.write(std::string_view(buffer).substr(0, got));
    bytes += got;
  }
  try {
    writer.commit(blob.digest);
  } catch (const Error&) {
    damaged_.add(blob.digest);
    throw;
  }
  return true;
}

bool LocalBackend::put_blob(const oci::Descriptor& blob, const ContentStore& store, std::span<const RemoteRepository>) {
  prepare();
  const fs::path path = blob_path(blob.digest);
  if (!damaged_.has(blob.digest) && has_blob(blob)) {
    note_use(path);
    return true;
  }
  if (!store.has(blob.digest)) return false;
  refuse_folder_at(path);
  AtomicFile file(open_cache_folder(folder_, "blobs", "sha256", Missing::is_made), path);
  VerifyingReader reader(store, blob.digest);
  std::string buffer(kCopyBytes, '\0');
  while (const std::size_t got = reader.read(buffer.data(), buffer.size()))
    file.write(std::string_view(buffer).substr(0, got));
  reader.finish();
  file.commit();
  return true;
}

CacheHoldings LocalBackend::holdings() {
  if (!is_there()) throw Error(Category::usage, fmt::format("{} holds no cache", name_));
  CacheHoldings held;
  const auto names_in = [](const fs::path& folder) {
    std::error_code code;
    return fs::is_directory(folder, code) ? list_directory(folder) : std::vector<std::string>();
  };
  for (const std::string& group : names_in(folder_ / "entries")) {
    refuse_link_at(folder_ / "entries" / group);
    for (const std::string& key : names_in(folder_ / "entries" / group)) {
      const fs::path path = folder_ / "entries" / group / key;
      const auto time = file_time(path);
      if (!time || !oci::Digest::is_valid("sha256:" + key)) continue;
      HeldEntry entry;
      try {
        const auto text = read_file_if_exists(path, 2 * kMaxEntryBytes);
        if (!text) continue;
        entry = held_entry(parse_entry(*text, key, path.native()), time->bytes, time->last_used);
      } catch (const Error&) {
        entry = {key, "", time->last_used, time->bytes, {}, {}};
      }
      held.entries.push_back(std::move(entry));
    }
  }
  held.blobs.emplace();
  for (const std::string& name : names_in(folder_ / "blobs/sha256")) {
    if (const auto time = file_time(folder_ / "blobs/sha256" / name))
      held.blobs->push_back({name, time->bytes, time->last_used});
  }
  return held;
}

bool LocalBackend::remove(const HeldEntry& entry) {
  return remove_if_unused(folder_, "entries", entry.key.substr(0, 2), entry.key, entry.last_used.value_or(0));
}

bool LocalBackend::remove(const HeldBlob& blob) {
  return remove_if_unused(folder_, "blobs", "sha256", blob.name, blob.last_used);
}

}  // namespace kiln
