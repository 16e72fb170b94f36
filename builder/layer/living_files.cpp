#include "builder/layer/living_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <optional>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/tar_import.hpp"

namespace kiln {

namespace {

constexpr std::int64_t kSettledNs = 2'000'000'000;  // a file that was not written to for so long is not copied
constexpr double kFreshSeconds = 1;                 // what was read within them is not asked for its times
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1}
                                        << 40;  // as in a layer: a file of holes alone has no other end
constexpr std::size_t kCopyBytes = std::size_t{256} << 10;

// Bytes of many files, one behind the other in a file without a name.
class Copies {
 public:
  // A place for `size` bytes.
  std::uint64_t reserve(std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    if (!file_) {
      MemorySource nothing({});
      file_ = std::make_shared<Fd>(spool_to_file(nothing, fs::temp_directory_path(), 0, "copies of files"));
    }
    return std::exchange(end_, end_ + size);
  }
  void write(std::string_view bytes, std::uint64_t offset) const {
    pwrite_all(*file_, bytes, offset, "copies of files");
  }
  std::shared_ptr<const Fd> file() const { return file_; }

 private:
  std::mutex mutex_;
  std::shared_ptr<Fd> file_;
  std::uint64_t end_ = 0;
};

// Buffers to read files into, as many as files are read at the same time: a small file costs no new pages.
class Buffers {
 public:
  class Lent {
   public:
    Lent(Buffers& owner, ByteBuffer buffer) : owner_(owner), buffer_(std::move(buffer)) {}
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() { owner_.take_back(std::move(buffer_)); }
    const ByteBuffer& buffer() const { return buffer_; }

   private:
    Buffers& owner_;
    ByteBuffer buffer_;
  };

  Lent lend() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return {*this, ByteBuffer(kCopyBytes)};
    ByteBuffer buffer = std::move(idle_.back());
    idle_.pop_back();
    return {*this, std::move(buffer)};
  }

 private:
  void take_back(ByteBuffer buffer) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(buffer));
  }

  std::mutex mutex_;
  std::vector<ByteBuffer> idle_;
};

// A part of an open file.
class PartSource : public ByteSource {
 public:
  PartSource(std::shared_ptr<const Fd> file, std::uint64_t offset, std::uint64_t size, std::string name)
      : file_(std::move(file)), offset_(offset), left_(size), name_(std::move(name)) {}

  std::size_t read(void* buffer, std::size_t size) override {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, left_));
    for (;;) {
      const ssize_t got = wanted == 0 ? 0 : ::pread(file_->get(), buffer, wanted, static_cast<off_t>(offset_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("read", name_);
      offset_ += static_cast<std::uint64_t>(got);
      left_ -= static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }
  }

 private:
  std::shared_ptr<const Fd> file_;
  std::uint64_t offset_;
  std::uint64_t left_;
  std::string name_;
};

std::int64_t wall_clock_ns() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

bool is_settled(const FileStamp& stamp, std::int64_t now_ns) {
  return std::max(stamp.mtime_ns, stamp.ctime_ns) < now_ns - kSettledNs;
}

struct Known {
  LivingFiles::Content content;
  FileStamp stamp;
  double asked_at = 0;                       // seconds of the monotonic clock
  std::optional<std::uint64_t> copy_offset;  // nullopt: its bytes are in the file itself
  bool is_gone = false;
};

}  // namespace

struct LivingFiles::State {
  State(const fs::path& root_in, const ScannedTree& tree_in, HashTools tools_in, Writers writers_in)
      : root(root_in),
        root_fd(open_directory(root_in)),
        tree(tree_in),
        tools(std::move(tools_in)),
        writers(writers_in),
        known(tree_in.entries.size()) {}

  std::string shown(std::size_t number) const { return (root / tree.entries[number].path).native(); }

  // An open regular file, and its stamp; nullopt where it is gone, or something else now.
  std::optional<std::pair<Fd, FileStamp>> open_file(std::size_t number) const {
    // O_NONBLOCK: a pipe that took the file's place must not hold us up.
    Fd file = open_beneath(root_fd, tree.entries[number].path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO) return std::nullopt;
      if (errno == EACCES || errno == EPERM) {
        throw Error(Category::build,
                    fmt::format("'{}' cannot be read: {}", printable(shown(number)), errno_text(errno)));
      }
      throw_errno("open", shown(number));
    }
    const auto stamp = stamp_of_file(file, shown(number));
    if (!stamp) return std::nullopt;
    return std::pair(std::move(file), *stamp);
  }

  Known read_file(std::size_t number);
  std::optional<Known> read_settled(std::size_t number, const Fd& file, const FileStamp& stamp) const;
  Known copy(std::size_t number, const Fd& file, std::uint64_t size);
  bool is_as_it_was(std::size_t number) const;

  const fs::path root;
  Fd root_fd;
  const ScannedTree& tree;
  const HashTools tools;
  const Writers writers;
  mutable std::mutex mutex;  // of `known`
  std::vector<Known> known;
  mutable Copies copies;
  mutable Buffers buffers;
};

// nullopt where it changed meanwhile.
std::optional<Known> LivingFiles::State::read_settled(std::size_t number, const Fd& file,
                                                      const FileStamp& stamp) const {
  const Buffers::Lent lent = buffers.lend();
  const ByteBuffer& buffer = lent.buffer();
  const std::int64_t now_ns = wall_clock_ns();
  Known result;
  result.stamp = stamp;
  oci::Sha256 hash;
  while (const std::size_t count = read_some(file, buffer.data(), buffer.size(), shown(number))) {
    tools.cancel.check();
    result.content.size += count;
    if (result.content.size > stamp.size) return std::nullopt;
    hash.update({buffer.data(), count});
  }
  if (result.content.size != stamp.size || stamp_of_file(file, shown(number)) != stamp) return std::nullopt;
  result.content.digest = hash.finish();
  if (tools.stat_cache != nullptr) {
    const bool has_no_xattrs = tree.has_xattrs && tree.entries[number].xattrs.empty() && stamp == tree.stamps[number];
    tools.stat_cache->remember(stamp, {result.content.digest, has_no_xattrs}, now_ns);
  }
  return result;
}

Known LivingFiles::State::copy(std::size_t number, const Fd& file, std::uint64_t size) {
  const Buffers::Lent lent = buffers.lend();
  const ByteBuffer& buffer = lent.buffer();
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("read", shown(number));
  Known result;
  result.copy_offset = copies.reserve(size);
  oci::Sha256 hash;
  std::uint64_t& got = result.content.size;
  while (got < size) {
    tools.cancel.check();
    const std::size_t count =
        read_some(file, buffer.data(), std::min<std::uint64_t>(buffer.size(), size - got), shown(number));
    if (count == 0) break;  // it became shorter
    const std::string_view piece(buffer.data(), count);
    hash.update(piece);
    copies.write(piece, *result.copy_offset + got);
    got += count;
  }
  result.content.digest = hash.finish();
  return result;
}

Known LivingFiles::State::read_file(std::size_t number) {
  auto opened = open_file(number);
  if (!opened) {
    Known gone;
    gone.is_gone = true;
    return gone;
  }
  const auto& [file, stamp] = *opened;
  if (stamp.size > kMaxFileBytes) {
    throw Error(Category::build, fmt::format("'{}' has {}; a file that a step reads may have 1 TiB",
                                             printable(shown(number)), human_bytes(stamp.size)));
  }
  if (writers == Writers::none || is_settled(stamp, wall_clock_ns())) {
    if (auto settled = read_settled(number, file, stamp)) return *settled;
  }
  return copy(number, file, stamp_of_file(file, shown(number)).value_or(stamp).size);
}

bool LivingFiles::State::is_as_it_was(std::size_t number) const {
  if (known[number].copy_offset) return true;
  struct stat status;
  if (::fstatat(root_fd.get(), tree.entries[number].path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return stamp_of(status) == known[number].stamp;
}

LivingFiles::LivingFiles(const fs::path& root, const ScannedTree& tree, HashTools tools, Writers writers)
    : state_(std::make_unique<State>(root, tree, std::move(tools), writers)) {
  static const oci::Digest empty = oci::sha256_of({});
  const double now = monotonic_seconds();
  for (std::size_t number = 0; number < tree.entries.size(); ++number) {
    const FileEntry& entry = tree.entries[number];
    Known& known = state_->known[number];
    if (entry.type != EntryType::file) continue;
    known.stamp = tree.stamps[number];
    known.content = {entry.size == 0 ? empty : entry.content, entry.size};
    known.asked_at = now;
  }
}

LivingFiles::~LivingFiles() = default;

std::vector<LivingFiles::Content> LivingFiles::read(std::span<const std::size_t> numbers) {
  State& state = *state_;
  std::vector<std::size_t> unknown;
  std::vector<std::size_t> old;
  const double now = monotonic_seconds();
  {
    const std::lock_guard lock(state.mutex);
    for (const std::size_t number : numbers) {
      const Known& known = state.known.at(number);
      if (state.tree.entries[number].type != EntryType::file || known.is_gone || known.copy_offset) continue;
      if (known.content.digest.empty()) {
        unknown.push_back(number);
      } else if (now - known.asked_at > kFreshSeconds) {
        old.push_back(number);
      }
    }
  }
  for (const std::size_t number : old) {
    if (!state.is_as_it_was(number)) unknown.push_back(number);
  }
  std::sort(unknown.begin(), unknown.end());
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  state.tools.pool.parallel_for(unknown.size(), [&](std::size_t i) {
    Known read = state.read_file(unknown[i]);
    read.asked_at = monotonic_seconds();
    const std::lock_guard lock(state.mutex);
    state.known[unknown[i]] = std::move(read);
  });
  const std::lock_guard lock(state.mutex);
  for (const std::size_t number : old) state.known[number].asked_at = std::max(state.known[number].asked_at, now);
  std::vector<Content> result;
  result.reserve(numbers.size());
  for (const std::size_t number : numbers) result.push_back(state.known[number].content);
  return result;
}

bool LivingFiles::is_gone(std::size_t number) const {
  const std::lock_guard lock(state_->mutex);
  return state_->known.at(number).is_gone;
}

std::unique_ptr<ByteSource> LivingFiles::open(std::size_t number) const {
  State& state = *state_;
  Known known;
  {
    const std::lock_guard lock(state.mutex);
    known = state.known.at(number);
  }
  const std::string name = state.shown(number);
  const auto from_copy = [&](const Known& copied) {
    return std::make_unique<PartSource>(state.copies.file(), *copied.copy_offset, copied.content.size, name);
  };
  if (known.copy_offset) return from_copy(known);
  // Nothing was read of it; a socket, which is shown as an empty file, cannot be opened either.
  if (!known.content.digest.empty() && known.content.size == 0)
    return std::make_unique<MemorySource>(std::string_view());
  auto opened = state.open_file(number);
  if (!opened) {
    throw Error(Category::build, fmt::format("'{}' vanished while it was being read; build again", printable(name)));
  }
  auto& [file, stamp] = *opened;
  const bool is_read = !known.content.digest.empty();
  if (is_read && stamp != known.stamp) {
    // Where something was only added to it, what was read is still there.
    const Known now = state.copy(number, file, known.content.size);
    if (now.content.digest == known.content.digest) return from_copy(now);
    throw Error(Category::build, fmt::format("'{}' changed while it was being read; build again", printable(name)));
  }
  return std::make_unique<PartSource>(std::make_shared<const Fd>(std::move(file)), 0, stamp.size, name);
}

}  // namespace kiln
