#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

namespace {

std::atomic<unsigned> sequence{0};

// A large blob's pages go to the disk while the rest of it still comes: the fsync at its end then waits for the last of them
// alone, and not for all. On a thread of its own, since the call waits for room in the disk's queue.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{8} << 20;

// Pieces from here on are hashed by another thread while they are written: below, waking it costs more than it saves.
constexpr std::size_t kHashedBeside = std::size_t{128} << 10;

// SHA-256 of pieces one after the other, on a thread of its own that begins with the first.
class HashThread {
 public:
  explicit HashThread(oci::Sha256& hash) : hash_(hash) {}
  ~HashThread() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // The piece stays until the returned value is gone, which waits for it.
  class Busy {
   public:
    explicit Busy(HashThread& thread) : thread_(thread) {}
    ~Busy() {
      std::unique_lock lock(thread_.mutex_);
      thread_.changed_.wait(lock, [&] { return thread_.piece_.empty(); });
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    HashThread& thread_;
  };
  [[nodiscard]] Busy begin(std::string_view piece) {
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    {
      const std::lock_guard lock(mutex_);
      piece_ = piece;
    }
    changed_.notify_all();
    return Busy(*this);
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !piece_.empty(); });
      if (stopping_) return;
      lock.unlock();
      hash_.update(piece_);
      lock.lock();
      piece_ = {};
      changed_.notify_all();
    }
  }

  oci::Sha256& hash_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string_view piece_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

struct BlobWriter::State {
  explicit State(ContentStore& content_store)
      : store(content_store),
        temporary(store.home().tmp() / fmt::format("blob-{}-{}", ::getpid(), sequence++)),
        fd(create_file(temporary)) {
    // A gc takes temporary files that nobody has locked.
    ::flock(fd.get(), LOCK_EX | LOCK_NB);
  }
  ~State() {
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }

  ContentStore& store;
  fs::path temporary;
  Fd fd;
  oci::Sha256 hash;
  HashThread hash_thread{hash};
  std::uint64_t size = 0;
  std::uint64_t written_back = 0;  // up to here the kernel was told to begin
  std::future<void> writing_back;

  void begin_write_back() {
    if (writing_back.valid() && writing_back.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    const auto from = static_cast<off64_t>(std::exchange(written_back, size));
    const auto bytes = static_cast<off64_t>(size) - from;
    // No more than a hint: where it fails, the fsync does everything.
    writing_back = std::async(std::launch::async, [file = fd.get(), from, bytes] { ::sync_file_range(file, from, bytes, SYNC_FILE_RANGE_WRITE); });
  }
};

BlobWriter::BlobWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobWriter::BlobWriter(BlobWriter&&) noexcept = default;
BlobWriter& BlobWriter::operator=(BlobWriter&&) noexcept = default;
BlobWriter::~BlobWriter() = default;

void BlobWriter::write(std::string_view bytes) {
  if (bytes.size() >= kHashedBeside) {
    const auto busy = state_->hash_thread.begin(bytes);
    write_all(state_->fd, bytes, state_->temporary.native());
  } else {
    write_all(state_->fd, bytes, state_->temporary.native());
    state_->hash.update(bytes);
  }
  state_->size += bytes.size();
  if (state_->size - state_->written_back >= kWriteBackBytes) state_->begin_write_back();
}

std::uint64_t BlobWriter::size() const noexcept { return state_->size; }

oci::Digest BlobWriter::commit(const std::optional<oci::Digest>& expected, Durability durability) {
  State& state = *state_;
  const oci::Digest digest = state.hash.finish();
  if (expected && digest != *expected) {
    throw Error(Category::network, fmt::format("blob '{}': its {} bytes have the digest '{}'", expected->str(), state.size, digest.str()));
  }
  state.store.lease(digest);
  // One that is there wins, unless it is to be durable: its writer may not have synced it yet.
  if (durability == Durability::ephemeral && state.store.size_of(digest) == state.size) {
    state.store.note_unsynced(digest);
    return digest;
  }
  if (durability == Durability::durable) {
    if (::fsync(state.fd.get()) != 0) throw_errno("sync", state.temporary.native());
  } else {
    state.store.note_unsynced(digest);
  }
  const fs::path path = state.store.path_of(digest);
  if (::rename(state.temporary.c_str(), path.c_str()) != 0) throw_errno("publish blob", path.native());
  state.temporary.clear();
  state.store.note_written(digest, state.size);
  if (durability == Durability::durable) sync_directory(path.parent_path());
  return digest;
}

BlobWriter ContentStore::begin_blob() { return BlobWriter(std::make_unique<BlobWriter::State>(*this)); }

}  // namespace kiln
