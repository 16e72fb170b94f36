#include "builder/cache/local_backend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "registry/store/verifying_reader.hpp"

namespace kiln {

namespace {

constexpr std::string_view kVersion = "kiln cache 1\n";
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Before a file is renamed to `path`, which would be refused for the folder that stands there. Error{network}, as of
// one key: the other ones can be written still.
void refuse_folder_at(const fs::path& path) {
  std::error_code code;
  if (fs::is_directory(fs::symlink_status(path, code))) {
    throw Error(Category::network,
                fmt::format("'{}' is a folder, where a file of the cache belongs; remove it", path.native()));
  }
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
  std::error_code code;
  const fs::file_status status = fs::status(folder_ / "version", code);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(Category::machine, fmt::format("'{}' is no regular file", (folder_ / "version").native()));
  const auto read_version = [&] { return read_file_if_exists(folder_ / "version", 64); };
  const auto version = read_version();
  if (version && *version == kVersion) return true;
  if (version)
    throw Error(Category::machine,
                fmt::format("'{}' is a cache of another version of kiln; use another folder", folder_.native()));
  if (!fs::is_directory(folder_, code)) return false;
  const std::vector<std::string> names = list_directory(folder_);
  // Somebody else may be about to write the version, or have done so since we looked.
  const auto is_own = [](const std::string& name) { return name.find("version") != std::string::npos; };
  if (!std::all_of(names.begin(), names.end(), is_own) && read_version() != kVersion) {
    throw Error(Category::machine,
                fmt::format("'{}' holds something else than a cache of kiln; use an empty folder", folder_.native()));
  }
  return false;
}

void LocalBackend::prepare() {
  if (is_there()) return;
  make_directories(folder_);
  write_file_atomically(folder_ / "version", kVersion);
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
      if (text) findings[i].entry = parse_entry(*text, keys[i], fmt::format("cache entry '{}'", path.native()));
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
  make_directories(path.parent_path());
  write_file_atomically(path, serialise(entry));
}

bool LocalBackend::remove(const CacheEntry& entry) {
  std::error_code failed;
  fs::remove(entry_path(entry.key), failed);
  return !failed;
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
  std::string buffer(kPieceBytes, '\0');
  while (const std::size_t got = read_some(file, buffer.data(), buffer.size(), path.native())) {
    writer.write(std::string_view(buffer).substr(0, got));
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
  if (!damaged_.has(blob.digest) && has_blob(blob)) return true;
  if (!store.has(blob.digest)) return false;
  const fs::path path = blob_path(blob.digest);
  refuse_folder_at(path);
  make_directories(path.parent_path());
  AtomicFile file(path);
  VerifyingReader reader(store, blob.digest);
  std::string buffer(kPieceBytes, '\0');
  while (const std::size_t got = reader.read(buffer.data(), buffer.size()))
    file.write(std::string_view(buffer).substr(0, got));
  reader.finish();
  file.commit();
  return true;
}

}  // namespace kiln
