#include "builder/debian/package_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/atomic_file.hpp"
#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/debian/apt_root.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

// Reads the file once and hands every piece to `sink`; true where size and sha256 are the locked ones.
template <class Sink>
bool read_verified(const LockedPackage& package, const Fd& file, std::string_view name, Sink&& sink) {
  oci::Sha256 hash;
  std::vector<char> buffer(std::size_t{1} << 20);
  std::uint64_t total = 0;
  while (const std::size_t got = read_some(file, buffer.data(), buffer.size(), name)) {
    total += got;
    if (total > package.size_bytes) return false;
    hash.update({buffer.data(), got});
    sink(std::string_view(buffer.data(), got));
  }
  return total == package.size_bytes && hash.finish().hex() == package.sha256;
}

// What apt says where a mirror answered and has not got these bytes, as against a mirror that did not answer.
bool says_not_there(std::string_view reason) {
  static constexpr std::array<std::string_view, 6> kNotThere = {
      "404 ", "410 ", "Hash Sum mismatch", "File has unexpected size", "Failed to stat", "File not found"};
  return std::any_of(kNotThere.begin(), kNotThere.end(),
                     [&](std::string_view text) { return reason.find(text) != std::string_view::npos; });
}

// The reasons of "E: Failed to fetch URI  REASON".
std::vector<std::string_view> failures(std::string_view stderr_bytes) {
  std::vector<std::string_view> reasons;
  for (const std::string_view line : split(stderr_bytes, '\n')) {
    constexpr std::string_view kFailed = "E: Failed to fetch ";
    if (!line.starts_with(kFailed)) continue;
    const std::string_view rest = line.substr(kFailed.size());
    const auto space = rest.find(' ');
    reasons.push_back(space == std::string_view::npos ? std::string_view() : trim(rest.substr(space)));
  }
  return reasons;
}

std::string uri_of(const LockedPackage& package, const DebianArchives& archives) {
  const auto slash = package.path.find('/');
  const std::string_view archive = std::string_view(package.path).substr(0, slash);
  std::string root = archive == "debian-security" ? archives.security : archives.debian;
  // apt's file method makes a link to the mirror's file; its copy method the bytes.
  if (root.starts_with("file://")) root = "copy:" + root.substr(7);
  return root + percent_encode(std::string_view(package.path).substr(slash));
}

// apt's name for a downloaded file: colons of an epoch as %3a.
std::string apt_cache_name(const LockedPackage& package) {
  std::string version;
  for (const char c : package.version) {
    if (c == ':') {
      version += "%3a";
    } else {
      version += c;
    }
  }
  return fmt::format("{}_{}_{}.deb", package.name, version, package.architecture);
}

}  // namespace

PackageStore::PackageStore(fs::path directory) : directory_(std::move(directory)) { make_directories(directory_); }

fs::path PackageStore::path_of(const LockedPackage& package) const { return directory_ / (package.sha256 + ".deb"); }

bool PackageStore::has(const LockedPackage& package) const {
  std::error_code missing;
  const auto size = fs::file_size(path_of(package), missing);
  return !missing && size == package.size_bytes;
}

bool PackageStore::verify(const LockedPackage& package) const {
  const fs::path path = path_of(package);
  if (::access(path.c_str(), F_OK) != 0) return false;
  const Fd file = open_read(path);
  if (read_verified(package, file, path.string(), [](std::string_view) {})) return true;
  std::error_code ignored;
  fs::remove(path, ignored);
  return false;
}

bool PackageStore::adopt(const LockedPackage& package, const fs::path& file) const {
  const Fd from = open_read(file);
  AtomicFile to(path_of(package));
  if (!read_verified(package, from, file.string(), [&](std::string_view bytes) { to.write(bytes); })) return false;
  to.commit();
  return true;
}

PackageFetch PackageStore::fetch(const DebianLock& lock, const DebianArchives& archives, const fs::path& work_dir,
                                 Log& log, const CancelToken& cancel) const {
  PackageFetch result;
  std::vector<const LockedPackage*> wanted;
  for (const LockedPackage& package : lock.packages) {
    if (has(package)) {
      result.kept_bytes += package.size_bytes;
    } else {
      wanted.push_back(&package);
    }
  }
  if (wanted.empty()) return result;

  const fs::path cache = apt_archives_of_host(cancel);
  std::erase_if(wanted, [&](const LockedPackage* package) {
    cancel.check();
    const fs::path cached = cache / apt_cache_name(*package);
    if (::access(cached.c_str(), R_OK) != 0 || !adopt(*package, cached)) return false;
    result.cached_bytes += package->size_bytes;
    return true;
  });
  if (wanted.empty()) return result;

  std::uint64_t bytes = 0;
  for (const LockedPackage* package : wanted) bytes += package->size_bytes;
  log.info(fmt::format("downloading {} Debian packages ({})", wanted.size(), human_bytes(bytes)));

  const TempDir scratch(work_dir, "apt-");
  const AptRoot apt(scratch.path(), lock.spec, archives, cancel);
  // In the store's own folder, so that a rename publishes; a killed run leaves a folder, never a half file.
  const TempDir incoming(directory_, ".incoming-");
  std::vector<std::string> argv = {"apt-helper", "--quiet", "download-file"};
  for (const LockedPackage* package : wanted) {
    argv.push_back(uri_of(*package, archives));
    argv.push_back(fs::absolute(incoming.path() / (package->sha256 + ".deb")).string());
    argv.push_back("SHA256:" + package->sha256);
  }
  const CommandResult download = apt.run(std::move(argv), cancel);

  for (const LockedPackage* package : wanted) {
    const fs::path arrived = incoming.path() / (package->sha256 + ".deb");
    bool is_good = false;
    if (fs::is_regular_file(fs::symlink_status(arrived))) {
      const Fd file = open_read(arrived);
      is_good = read_verified(*package, file, arrived.string(), [](std::string_view) {});
      if (is_good) {
        if (::fchmod(file.get(), 0644) != 0 || ::fsync(file.get()) != 0) throw_errno("write", arrived.string());
        if (::rename(arrived.c_str(), path_of(*package).c_str()) != 0) throw_errno("rename", arrived.string());
        result.downloaded_bytes += package->size_bytes;
      }
    }
    if (!is_good) result.unavailable.push_back(*package);
  }
  sync_directory(directory_);
  if (result.unavailable.empty()) return result;

  const auto reasons = failures(download.stderr_bytes);
  if (reasons.empty() || !std::all_of(reasons.begin(), reasons.end(), says_not_there)) {
    throw Error(Category::network,
                fmt::format("cannot download {} of {} Debian packages from '{}' and '{}'", result.unavailable.size(),
                            wanted.size(), without_url_credentials(archives.debian),
                            without_url_credentials(archives.security)))
        .set_detail(apt_messages(download.stderr_bytes));
  }
  return result;
}

}  // namespace kiln
