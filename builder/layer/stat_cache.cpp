#include "builder/layer/stat_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
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

// A file whose parts are read when they are first asked for, as a mapping's are, but where the disk cannot read one it
// is an answer and no signal. Any thread.
class ReadParts {
 public:
  ReadParts(Fd file, std::size_t bytes)
      : file_(std::move(file)),
        bytes_(bytes),
        text_(std::make_unique_for_overwrite<char[]>(bytes)),
        parts_(bytes / kPartBytes + 1) {}

  std::size_t size() const noexcept { return bytes_; }

  // False where they lie beyond the file, or cannot be read.
  bool read(std::size_t at, void* into, std::size_t size) const {
    if (at > bytes_ || size > bytes_ - at) return false;
    for (std::size_t part = at / kPartBytes; part <= (at + size - 1) / kPartBytes; ++part) {
      if (!is_there(part)) return false;
    }
    std::memcpy(into, text_.get() + at, size);
    return true;
  }

 private:
  enum class Part : unsigned char { unread, there, lost };
  static constexpr std::size_t kPartBytes = std::size_t{64} << 10;

  bool is_there(std::size_t number) const {
    std::atomic<Part>& part = parts_[number];
    if (part.load(std::memory_order_acquire) == Part::unread) {
      const std::lock_guard lock(mutex_);
      if (part.load(std::memory_order_relaxed) == Part::unread)
        part.store(fetch(number) ? Part::there : Part::lost, std::memory_order_release);
    }
    return part.load(std::memory_order_relaxed) == Part::there;
  }

  bool fetch(std::size_t number) const {
    std::size_t at = number * kPartBytes;
    const std::size_t end = std::min(at + kPartBytes, bytes_);
    while (at < end) {
      const ssize_t got = ::pread(file_.get(), text_.get() + at, end - at, static_cast<off_t>(at));
      if (got == 0 || (got < 0 && errno != EINTR)) return false;
      if (got > 0) at += static_cast<std::size_t>(got);
    }
    return true;
  }

  Fd file_;
  std::size_t bytes_;
  std::unique_ptr<char[]> text_;  // what was read of it
  mutable std::vector<std::atomic<Part>> parts_;
  mutable std::mutex mutex_;
};

// The cache's file as it is now; nothing where there is none or it is not one of ours.
class StoredRecords {
 public:
  void open(Fd file) {
    parts_.reset();
    count_ = sorted_ = 0;
    struct stat info;
    if (::fstat(file.get(), &info) != 0 || info.st_size < static_cast<off_t>(sizeof(TableHeader))) return;
    auto parts = std::make_unique<ReadParts>(std::move(file), static_cast<std::size_t>(info.st_size));
    TableHeader header;
    if (!parts->read(0, &header, sizeof header)) return;
    const std::size_t count = (parts->size() - sizeof header) / sizeof(Record);
    if (header.magic != kTableMagic || header.version != kVersion || header.record_bytes != sizeof(Record) ||
        header.checksum != header.sum() || header.sorted > count)
      return;
    parts_ = std::move(parts);
    count_ = count;
    sorted_ = header.sorted;
  }

  bool is_valid() const noexcept { return parts_ != nullptr; }
  std::size_t count() const noexcept { return count_; }
  std::size_t sorted() const noexcept { return sorted_; }
  // nullopt for one that is damaged or cannot be read.
  std::optional<Record> at(std::size_t number) const {
    const auto record = read<Record>(number);
    return record && record->is_whole() ? record : std::nullopt;
  }
  std::optional<Record> find_sorted(const Key& key) const {
    std::size_t low = 0;
    std::size_t high = sorted_;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const auto there = read<Key>(middle);
      if (!there) return std::nullopt;
      if (*there < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low == sorted_ ? std::nullopt : at(low);
  }

 private:
  // The beginning of a record.
  template <class T>
  std::optional<T> read(std::size_t number) const {
    T value;
    if (!parts_->read(sizeof(TableHeader) + number * sizeof(Record), &value, sizeof value)) return std::nullopt;
    return value;
  }

  std::unique_ptr<const ReadParts> parts_;
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
  StoredRecords stored;                             // as it was at the first question
  mutable std::shared_mutex mutex;                  // of the two below
  std::unordered_map<Key, Record, KeyHash> recent;  // the stored tail, and what is new
  std::vector<Record> fresh;                        // not yet written

  void load() {
    std::call_once(is_loaded, [this] {
      Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) return;
      stored.open(std::move(fd));
      for (std::size_t i = stored.sorted(); i < stored.count(); ++i) {
        if (const auto record = stored.at(i)) recent[key_of(record->stamp)] = *record;
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
    const Fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd && errno != ENOENT) throw_errno("open", file.native());
    StoredRecords now;
    if (fd) now.open(Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)));
    const std::size_t tail = now.count() - now.sorted() + fresh.size();
    if (now.is_valid() && tail <= std::max(kMinFoldedRecords, now.sorted() / 4)) {
      // Over a record that was cut, if there is one.
      pwrite_all(fd, bytes_of(fresh), sizeof(TableHeader) + now.count() * sizeof(Record), file.native());
    } else {
      std::vector<Record> all;
      const std::size_t from = now.count() + fresh.size() > kMaxRecords ? now.sorted() : 0;
      all.reserve(now.count() - from + fresh.size());
      for (std::size_t i = from; i < now.count(); ++i) {
        if (const auto record = now.at(i)) all.push_back(*record);
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
  if (!record) record = state_->stored.find_sorted(key_of(stamp));
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
