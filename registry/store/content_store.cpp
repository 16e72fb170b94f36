#include "registry/store/content_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/text.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/index_json.hpp"
#include "registry/store/lease_file.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{4} << 20;
constexpr std::size_t kSyncedOneByOne = 32;
constexpr std::uint64_t kWorthNoting = std::uint64_t{1}
                                       << 20;  // smaller blobs are hashed again as fast as they are looked up

Error damaged(const oci::Digest& digest, const oci::Digest& actual) {
  return Error(Category::machine,
               fmt::format("blob '{}' is damaged: its bytes have the digest '{}'; run 'kiln cache verify'",
                           digest.str(), actual.str()));
}

// The entry of index.json for a descriptor under a name.
nlohmann::json index_entry(const NamedImage& image) {
  oci::Descriptor descriptor = image.descriptor;
  descriptor.annotations[kRefNameAnnotation] = image.name;
  return oci::to_json(descriptor);
}

void check_name(const std::string& name) {
  if (name.empty() || printable(name) != name) {
    throw Error(Category::usage, fmt::format("'{}' cannot be the name of an image", printable(name)));
  }
}

// "DIGEST NUMBER\n", or with a third word, "DIGEST NUMBER REST\n"; nullopt where there is no such file or it is
// damaged.
struct Fact {
  oci::Digest digest;
  std::uint64_t number = 0;
  std::string rest;
};
std::optional<Fact> read_fact(const fs::path& file, std::size_t words) {
  const auto text = read_file_if_exists(file, 4096);
  if (!text) return std::nullopt;
  const auto parts = split(trim(*text), ' ');
  if (parts.size() != words || !oci::Digest::is_valid(parts[0]) || !parse_unsigned(parts[1])) return std::nullopt;
  return Fact{oci::Digest::parse(parts[0]), *parse_unsigned(parts[1]), words > 2 ? std::string(parts[2]) : ""};
}

}  // namespace

ContentStore::ContentStore(HomeLayout home) : home_(std::move(home)), lease_(std::make_unique<LeaseFile>(home_)) {}
ContentStore::~ContentStore() = default;

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
  if (const oci::Digest actual = oci::sha256_of(*bytes); actual != digest) throw damaged(digest, actual);
  return *bytes;
}

Fd ContentStore::open(const oci::Digest& digest) const { return open_read(path_of(digest)); }

oci::Descriptor ContentStore::put(std::string_view bytes, std::string media_type, Durability durability) {
  oci::Descriptor descriptor;
  descriptor.media_type = std::move(media_type);
  descriptor.size = bytes.size();
  descriptor.digest = oci::sha256_of(bytes);
  lease(descriptor.digest);
  if (size_of(descriptor.digest) == bytes.size() && durability == Durability::ephemeral) {
    note_unsynced(descriptor.digest);  // whoever wrote it may not have synced it yet
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

void ContentStore::sync() {
  // The lock makes a second caller wait for the first one, who may have taken its blobs along.
  const std::lock_guard guard(sync_mutex_);
  std::set<oci::Digest> blobs;
  {
    const std::lock_guard lock(unsynced_mutex_);
    blobs.swap(unsynced_);
  }
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

std::vector<oci::Descriptor> ContentStore::closure(const oci::Descriptor& root) const {
  return walk(root, Absent::refused);
}

std::vector<oci::Descriptor> ContentStore::walk(const oci::Descriptor& root, Absent absent) const {
  std::vector<oci::Descriptor> result;
  std::set<oci::Digest> seen;
  std::vector<oci::Descriptor> open_ends{root};
  while (!open_ends.empty()) {
    const oci::Descriptor item = std::move(open_ends.back());
    open_ends.pop_back();
    if (!seen.insert(item.digest).second) continue;
    result.push_back(item);
    if (absent == Absent::kept && !has(item.digest)) continue;
    const std::string where = fmt::format("manifest '{}'", item.digest.str());
    if (oci::media_type::is_index(item.media_type)) {
      const oci::Index index = oci::parse_index(read(item.digest, kMaxManifestBytes), where);
      open_ends.insert(open_ends.end(), index.manifests.begin(), index.manifests.end());
    } else if (oci::media_type::is_manifest(item.media_type)) {
      const oci::Manifest manifest = oci::parse_manifest(read(item.digest, kMaxManifestBytes), where);
      open_ends.push_back(manifest.config);
      open_ends.insert(open_ends.end(), manifest.layers.begin(), manifest.layers.end());
    }
  }
  return result;
}

std::vector<oci::Descriptor> ContentStore::missing(const oci::Descriptor& root) const {
  std::vector<oci::Descriptor> result;
  for (const oci::Descriptor& item : walk(root, Absent::kept)) {
    if (size_of(item.digest) != item.size) result.push_back(item);
  }
  return result;
}

void ContentStore::publish(std::span<const NamedImage> images) {
  if (images.empty()) return;
  for (const NamedImage& image : images) check_name(image.name);
  const FileLock lock = FileLock::acquire(home_.locks() / "store", LockMode::exclusive);
  // Under the lock, so that no gc takes a blob between this check and the new index.json.
  std::set<oci::Digest> needed;
  for (const NamedImage& image : images) {
    std::vector<oci::Descriptor> items = walk(image.descriptor, Absent::kept);
    for (const oci::Descriptor& item : items) needed.insert(item.digest);
    std::erase_if(items, [&](const oci::Descriptor& item) { return size_of(item.digest) == item.size; });
    if (items.empty()) continue;
    throw Error(Category::machine,
                fmt::format("image '{}' cannot be named: {} of its blobs are not in the store, the first is '{}'",
                            image.name, items.size(), items.front().digest.str()));
  }
  const fs::path path = home_.oci() / "index.json";
  const nlohmann::json before = read_index_file(path);
  nlohmann::json after = before;
  std::map<std::string, nlohmann::json> named;
  for (const NamedImage& image : images) named[image.name] = index_entry(image);
  nlohmann::json entries = nlohmann::json::array();
  for (const auto& entry : before["manifests"]) {
    const auto found = named.find(ref_name_of(entry));
    if (found == named.end()) {
      entries.push_back(entry);
    } else if (!found->second.is_null()) {
      entries.push_back(std::exchange(found->second, nullptr));
    }
  }
  for (auto& [name, entry] : named) {
    if (!entry.is_null()) entries.push_back(std::move(entry));
  }
  after["manifests"] = std::move(entries);
  if (after == before) return;
  // All of them: what this process found in the store may be another's that has not synced yet.
  for (const oci::Digest& digest : needed) note_unsynced(digest);
  sync();
  write_index_file(path, after);
}

std::vector<std::string> ContentStore::unpublish(std::span<const std::string> names) {
  const FileLock lock = FileLock::acquire(home_.locks() / "store", LockMode::exclusive);
  const fs::path path = home_.oci() / "index.json";
  nlohmann::json index = read_index_file(path);
  const std::set<std::string> wanted(names.begin(), names.end());
  std::vector<std::string> removed;
  nlohmann::json entries = nlohmann::json::array();
  for (auto& entry : index["manifests"]) {
    const std::string name = ref_name_of(entry);
    if (!name.empty() && wanted.count(name)) {
      removed.push_back(name);
    } else {
      entries.push_back(std::move(entry));
    }
  }
  index["manifests"] = std::move(entries);
  if (!removed.empty()) write_index_file(path, index);
  return removed;
}

std::optional<oci::Descriptor> ContentStore::resolve(std::string_view name) const {
  for (const NamedImage& image : images()) {
    if (image.name == name) return image.descriptor;
  }
  return std::nullopt;
}

std::vector<NamedImage> ContentStore::images() const {
  const fs::path path = home_.oci() / "index.json";
  std::vector<NamedImage> result;
  const nlohmann::json index = read_index_file(path);
  for (const auto& entry : index["manifests"]) {
    result.push_back({ref_name_of(entry), descriptor_of_entry(entry, path)});
  }
  return result;
}

std::optional<oci::Descriptor> ContentStore::index_of_layer(const oci::Digest& diff_id) const {
  const auto fact = read_fact(home_.indexes() / std::string(diff_id.hex()), 3);
  if (!fact) return std::nullopt;
  const oci::Descriptor index{fact->rest, fact->digest, fact->number, {}, {}, {}};
  if (size_of(index.digest) != index.size) return std::nullopt;
  return index;
}

void ContentStore::set_index_of_layer(const oci::Digest& diff_id, const oci::Descriptor& index) {
  write_file_atomically(home_.indexes() / std::string(diff_id.hex()),
                        fmt::format("{} {} {}\n", index.digest.str(), index.size, index.media_type),
                        Durability::ephemeral);
}

std::optional<oci::Descriptor> ContentStore::form_of_layer(const oci::Digest& diff_id, std::string_view form) {
  const auto fact = read_fact(home_.forms() / fmt::format("{}-{}", diff_id.hex(), form), 2);
  if (!fact) return std::nullopt;
  oci::Descriptor blob{"", fact->digest, fact->number, {}, {}, {}};
  lease(blob.digest);
  const auto info = blob_info(blob.digest);
  if (size_of(blob.digest) != blob.size || !info || info->diff_id != diff_id) return std::nullopt;
  return blob;
}

void ContentStore::set_form_of_layer(const oci::Digest& diff_id, std::string_view form, const oci::Descriptor& blob) {
  make_directories(home_.forms());  // homes of before there were any
  write_file_atomically(home_.forms() / fmt::format("{}-{}", diff_id.hex(), form),
                        fmt::format("{} {}\n", blob.digest.str(), blob.size), Durability::ephemeral);
}

std::optional<ContentStore::BlobInfo> ContentStore::blob_info(const oci::Digest& blob) const {
  const auto fact = read_fact(home_.blob_info() / std::string(blob.hex()), 2);
  if (!fact) return std::nullopt;
  return BlobInfo{fact->digest, fact->number};
}

void ContentStore::set_blob_info(const oci::Digest& blob, const BlobInfo& info) {
  write_file_atomically(home_.blob_info() / std::string(blob.hex()),
                        fmt::format("{} {}\n", info.diff_id.str(), info.uncompressed_bytes), Durability::ephemeral);
}

VerifyingReader::VerifyingReader(const ContentStore& store, const oci::Digest& digest)
    : expected_(digest), name_(store.path_of(digest).native()) {
  if (!store.has(digest)) {
    throw Error(Category::machine,
                fmt::format("blob '{}' is not in the store '{}'", digest.str(), store.home().oci().native()));
  }
  is_known_ = store.was_written_here(digest);
  fd_ = store.open(digest);
}

std::size_t VerifyingReader::read(void* buffer, std::size_t size) {
  const std::size_t got = read_some(fd_, buffer, size, name_);
  if (!is_known_) hash_.update(std::string_view(static_cast<const char*>(buffer), got));
  return got;
}

void VerifyingReader::finish() {
  if (is_known_) return;
  char buffer[65536];
  while (read(buffer, sizeof buffer) != 0) {
  }
  if (const oci::Digest actual = hash_.finish(); actual != expected_) throw damaged(expected_, actual);
}

}  // namespace kiln
