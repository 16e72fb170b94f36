#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

namespace {

std::atomic<unsigned> sequence{0};

// A large blob's pages go to the disk while the rest of it still comes: the fsync at its end then waits for the last of them
// alone, and not for all. On a thread of its own, since the call waits for room in the disk's queue.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{8} << 20;

// Pieces from here on are hashed by another thread while they are written: below, waking it costs more than it saves.
constexpr std::size_t kHashedBeside = std::size_t{128} << 10;

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
  std::optional<ThreadPool> hasher;  // of one thread, which begins with the first large piece
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
  const auto write = [&] { write_all(state_->fd, bytes, state_->temporary.native()); };
  const auto hash = [&] { state_->hash.update(bytes); };
  if (bytes.size() >= kHashedBeside) {
    if (!state_->hasher) state_->hasher.emplace(1);
    state_->hasher->parallel_for(2, [&](std::size_t part) { part == 0 ? write() : hash(); });
  } else {
    write();
    hash();
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
