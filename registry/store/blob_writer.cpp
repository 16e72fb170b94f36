#include "registry/store/blob_writer.hpp"

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

namespace {

std::atomic<unsigned> blobs_begun{0};

// Pieces from here on are hashed by another thread while they are written: below, as what comes from a network is,
// waking it costs more than it saves.
constexpr std::size_t kHashedBeside = std::size_t{512} << 10;

}  // namespace

struct BlobWriter::State {
  State(ContentStore& content_store, WriteBehind::Pages pages)
      : store(content_store),
        temporary(store.home().tmp() / fmt::format("blob-{}-{}", ::getpid(), blobs_begun++)),
        file(std::make_shared<const Fd>(create_file(temporary))),
        behind(pages) {
    // A gc takes temporary files that no process has locked.
    ::flock(file->get(), LOCK_EX | LOCK_NB);
  }
  ~State() {
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }

  ContentStore& store;
  fs::path temporary;
  std::shared_ptr<const Fd> file;
  oci::Sha256 hash;
  std::optional<ThreadPool> hasher;  // of one thread, which begins with the first large piece
  std::uint64_t size = 0;
  WriteBehind behind;
};

BlobWriter::BlobWriter(ContentStore& store, WriteBehind::Pages pages) : state_(std::make_unique<State>(store, pages)) {}
BlobWriter::BlobWriter(BlobWriter&&) noexcept = default;
BlobWriter& BlobWriter::operator=(BlobWriter&&) noexcept = default;
BlobWriter::~BlobWriter() = default;

void BlobWriter::write(std::string_view bytes) {
  const auto write = [&] { state_->behind.write(state_->file, bytes, state_->size, state_->temporary.native()); };
  const auto hash = [&] { state_->hash.update(bytes); };
  if (bytes.size() >= kHashedBeside) {
    if (!state_->hasher) state_->hasher.emplace(1);
    state_->hasher->parallel_for(2, [&](std::size_t part) { part == 0 ? write() : hash(); });
  } else {
    write();
    hash();
  }
  state_->size += bytes.size();
}

std::uint64_t BlobWriter::size() const noexcept { return state_->size; }

oci::Digest BlobWriter::commit(const std::optional<oci::Digest>& expected, Durability durability) {
  State& state = *state_;
  const oci::Digest digest = state.hash.finish();
  if (expected && digest != *expected) {
    throw Error(Category::network,
                fmt::format("blob '{}': its {} bytes have the digest '{}'", expected->str(), state.size, digest.str()));
  }
  state.store.lease(digest);
  // One that is there wins, unless it is to be durable: its writer may not have synced it yet.
  if (durability == Durability::ephemeral && state.store.size_of(digest) == state.size) {
    state.store.note_unsynced(digest);
    return digest;
  }
  if (durability == Durability::durable) {
    if (::fsync(state.file->get()) != 0) throw_errno("sync", state.temporary.native());
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

}  // namespace kiln
