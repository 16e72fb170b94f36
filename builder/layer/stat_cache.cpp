#include "builder/layer/stat_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::array<char, 8> kTableMagic{'k', 'i', 'l', 'n', 's', 't', 'a', 't'};
constexpr std::uint32_t kVersion = 2;
constexpr std::int64_t kSettledAfterNs = 2'000'000'000;
constexpr std::size_t kMinFoldedRecords = 4096;
constexpr std::uint64_t kHasNoXattrs = 1;
constexpr std::size_t kMaxRecords = 4'000'000;  // above that (352 MB) only what was appended last is kept

struct TableHeader {
  std::array<char, 8> magic = kTableMagic;
  std::uint32_t version = kVersion;
  std::uint32_t record_bytes = 88;
  std::uint64_t sorted = 0;
  std::uint64_t checksum = 0;

  std::uint64_t sum() const { return XXH64(this, offsetof(TableHeader, checksum), 0); }
};
static_assert(sizeof(TableHeader) == 32);

struct Record {
  FileStamp stamp;
  std::array<unsigned char, 32> sha256{};
  std::uint64_t flags = 0;
  std::uint64_t checksum = 0;

  std::uint64_t sum() const { return XXH64(this, offsetof(Record, checksum), 0); }
  bool is_whole() const { return checksum == sum(); }
};
static_assert(sizeof(Record) == 88);

// What a stamp begins with.
struct Key {
  std::uint64_t device;
  std::uint64_t inode;
  auto operator<=>(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const noexcept { return XXH64(&key, sizeof key, 0); }
};
Key key_of(const FileStamp& stamp) { return {stamp.device, stamp.inode}; }

KnownFile file_of(const Record& record) {
  const std::string text = hex({reinterpret_cast<const char*>(record.sha256.data()), record.sha256.size()});
  return {oci::Digest::from_sha256_hex(text), (record.flags & kHasNoXattrs) != 0};
}

// The cache's file as it is now, mapped; nothing where there is none or it is not one of ours.
class MappedRecords {
 public:
  MappedRecords() = default;
  MappedRecords(const MappedRecords&) = delete;
  MappedRecords& operator=(const MappedRecords&) = delete;
  ~MappedRecords() { unmap(); }

  void map(const Fd& file) {
    unmap();
    struct stat info;
    if (::fstat(file.get(), &info) != 0 || info.st_size < static_cast<off_t>(sizeof(TableHeader))) return;
    const auto bytes = static_cast<std::size_t>(info.st_size);
    void* address = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
    if (address == MAP_FAILED) return;
    address_ = address;
    bytes_ = bytes;
    TableHeader header;
    std::memcpy(&header, address_, sizeof header);
    count_ = (bytes_ - sizeof header) / sizeof(Record);
    if (header.magic != kTableMagic || header.version != kVersion || header.record_bytes != sizeof(Record) ||
        header.checksum != header.sum() || header.sorted > count_) {
      unmap();
      return;
    }
    sorted_ = header.sorted;
  }

  bool is_valid() const noexcept { return address_ != nullptr; }
  std::size_t count() const noexcept { return count_; }
  std::size_t sorted() const noexcept { return sorted_; }
  Record at(std::size_t number) const { return read<Record>(number); }
  std::optional<Record> find_sorted(const Key& key) const {
    std::size_t low = 0;
    std::size_t high = sorted_;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (read<Key>(middle) < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low == sorted_) return std::nullopt;
    return at(low);
  }

 private:
  // The beginning of a record.
  template <class T>
  T read(std::size_t number) const {
    T value;
    std::memcpy(&value, static_cast<const char*>(address_) + sizeof(TableHeader) + number * sizeof(Record),
                sizeof value);
    return value;
  }
  void unmap() {
    if (address_ != nullptr) ::munmap(address_, bytes_);
    address_ = nullptr;
    bytes_ = count_ = sorted_ = 0;
  }

  void* address_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
  std::size_t sorted_ = 0;
};

std::string bytes_of(const std::vector<Record>& records) {
  return {reinterpret_cast<const char*>(records.data()), records.size() * sizeof(Record)};
}

void write_anew(const fs::path& file, std::vector<Record> records) {
  // Of several records of one file the last counts.
  std::stable_sort(records.begin(), records.end(),
                   [](const Record& a, const Record& b) { return key_of(a.stamp) < key_of(b.stamp); });
  std::vector<Record> unique;
  unique.reserve(records.size());
  for (const Record& record : records) {
    if (!unique.empty() && key_of(unique.back().stamp) == key_of(record.stamp)) {
      unique.back() = record;
    } else {
      unique.push_back(record);
    }
  }
  TableHeader header;
  header.sorted = unique.size();
  header.checksum = header.sum();
  AtomicFile out(file);
  out.write({reinterpret_cast<const char*>(&header), sizeof header});
  out.write(bytes_of(unique));
  out.commit(Durability::ephemeral);
}

}  // namespace

struct StatCache::State {
  fs::path file;
  fs::path lock;
  std::once_flag is_loaded;
  MappedRecords mapped;                             // as it was at the first question
  mutable std::shared_mutex mutex;                  // of the two below
  std::unordered_map<Key, Record, KeyHash> recent;  // the mapped tail, and what is new
  std::vector<Record> fresh;                        // not yet written

  void load() {
    std::call_once(is_loaded, [this] {
      const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) return;
      mapped.map(fd);
      for (std::size_t i = mapped.sorted(); i < mapped.count(); ++i) {
        const Record record = mapped.at(i);
        if (record.is_whole()) recent[key_of(record.stamp)] = record;
      }
    });
  }

  std::optional<Record> find_recent(const Key& key) const {
    const std::shared_lock guard(mutex);
    const auto it = recent.find(key);
    return it == recent.end() ? std::nullopt : std::optional(it->second);
  }

  void flush() {
    if (fresh.empty()) return;
    const FileLock held = FileLock::acquire(lock, LockMode::exclusive);
    Fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd && errno != ENOENT) throw_errno("open", file.native());
    MappedRecords now;
    if (fd) now.map(fd);
    const std::size_t tail = now.count() - now.sorted() + fresh.size();
    if (now.is_valid() && tail <= std::max(kMinFoldedRecords, now.sorted() / 4)) {
      // Over a record that was cut, if there is one.
      pwrite_all(fd, bytes_of(fresh), sizeof(TableHeader) + now.count() * sizeof(Record), file.native());
    } else {
      std::vector<Record> all;
      const std::size_t from = now.count() + fresh.size() > kMaxRecords ? now.sorted() : 0;
      all.reserve(now.count() - from + fresh.size());
      for (std::size_t i = from; i < now.count(); ++i) {
        const Record record = now.at(i);
        if (record.is_whole()) all.push_back(record);
      }
      all.insert(all.end(), fresh.begin(), fresh.end());
      write_anew(file, std::move(all));
    }
    fresh.clear();
  }
};

StatCache::StatCache(fs::path file, fs::path lock) : state_(std::make_unique<State>()) {
  state_->file = std::move(file);
  state_->lock = std::move(lock);
}

StatCache::~StatCache() {
  try {
    flush();
  } catch (const Error&) {
    // What was not remembered is read again.
  }
}

std::optional<KnownFile> StatCache::find(const FileStamp& stamp) const {
  state_->load();
  auto record = state_->find_recent(key_of(stamp));
  if (!record) {
    record = state_->mapped.find_sorted(key_of(stamp));
    if (record && !record->is_whole()) return std::nullopt;
  }
  if (!record || record->stamp != stamp) return std::nullopt;
  return file_of(*record);
}

void StatCache::remember(const FileStamp& stamp, const KnownFile& file, std::int64_t hashed_at_ns) {
  if (hashed_at_ns - std::max(stamp.mtime_ns, stamp.ctime_ns) <= kSettledAfterNs) return;
  Record record;
  record.stamp = stamp;
  const std::string_view text = file.content.hex();
  for (std::size_t i = 0; i < record.sha256.size(); ++i) {
    record.sha256[i] = static_cast<unsigned char>(*parse_unsigned(text.substr(i * 2, 2), 16));
  }
  record.flags = file.has_no_xattrs ? kHasNoXattrs : 0;
  record.checksum = record.sum();
  state_->load();
  const std::lock_guard lock(state_->mutex);
  state_->recent[key_of(stamp)] = record;
  state_->fresh.push_back(record);
}

void StatCache::flush() {
  const std::lock_guard lock(state_->mutex);
  state_->flush();
}

}  // namespace kiln
