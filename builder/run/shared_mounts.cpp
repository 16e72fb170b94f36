#include "builder/run/shared_mounts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "builder/cache/chunk_list.hpp"
#include "builder/cache/chunker.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "builder/layer/unpack.hpp"
#include "builder/run/disk_space.hpp"
#include "registry/store/verifying_reader.hpp"

namespace kiln {

namespace {

constexpr char kChunkType[] = "application/vnd.kiln.chunk.v1";
constexpr std::size_t kParallelFetches = 8;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

std::string title_of(const CacheMountName& name) { return fmt::format("cache mount '{}'", printable(name.shown_id())); }

oci::Descriptor blob_of(const ChunkList::Chunk& chunk) { return {kChunkType, chunk.digest, chunk.bytes, {}, {}, {}}; }

// The chunks of a list one after the other, each verified; the whole against the list's digest at the end.
class ChunkSource : public ByteSource {
 public:
  ChunkSource(const ContentStore& store, const ChunkList& list) : store_(store), list_(list) {}

  std::size_t read(void* buffer, std::size_t size) override {
    while (rest_.empty()) {
      if (next_ == list_.chunks.size()) {
        if (!is_checked_ && hash_.finish() != list_.digest)
          throw Error(Category::network, "its chunks are not what was cut");
        is_checked_ = true;
        return 0;
      }
      current_ = store_.read(list_.chunks[next_++].digest);
      hash_.update(current_);
      rest_ = current_;
    }
    const std::size_t count = std::min(size, rest_.size());
    rest_.copy(static_cast<char*>(buffer), count);
    rest_.remove_prefix(count);
    return count;
  }

 private:
  const ContentStore& store_;
  const ChunkList& list_;
  oci::Sha256 hash_;
  std::string current_;
  std::string_view rest_;
  std::size_t next_ = 0;
  bool is_checked_ = false;
};

// For the tar and its chunks, or for the chunks and the files. nullopt where there is room.
std::optional<std::string> lack_of_space(const HomeLayout& home, std::uint64_t bytes) {
  std::error_code code;
  const fs::space_info space = fs::space(home.tmp(), code);
  if (code || space.available / 2 >= bytes) return std::nullopt;
  return fmt::format("it has {}, which need twice as much on the disk for a while, and {} are free", human_bytes(bytes),
                     human_bytes(space.available));
}

// A folder as an uncompressed layer tar in the store.
oci::Descriptor tar_of(const fs::path& folder, ContentStore& store, ThreadPool& pool, const CancelToken& cancel) {
  ScanOptions options;
  options.verdict = [](std::string_view path, bool) {
    const std::string_view name = path.substr(path.find_last_of('/') + 1);
    return name.starts_with(".wh.") ? ScanVerdict::exclude : ScanVerdict::include;
  };
  const ScannedTree tree = scan_tree(folder, options, pool, cancel);
  LayerWriterOptions writing;
  writing.compression.kind = CompressionKind::none;
  LayerWriter writer(store, pool, writing, cancel);
  const Fd root = open_directory(folder);
  for (const FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::char_device || entry.type == EntryType::block_device) continue;
    if (entry.type == EntryType::file && entry.size > 0) {
      writer.add(entry, open_scanned(root, entry.path), "'/" + entry.path + "'");
    } else {
      writer.add(entry);
    }
  }
  return writer.finish().blobs.front().descriptor;
}

ChunkList cut(const oci::Descriptor& tar, ContentStore& store) {
  ChunkList list;
  list.digest = tar.digest;
  list.bytes = tar.size;
  Chunker chunker(
      [&](std::string_view chunk) {
        const oci::Descriptor blob = store.put(chunk, kChunkType, Durability::ephemeral);
        list.chunks.push_back({blob.digest, blob.size});
      },
      chunk_bounds_for(tar.size));
  VerifyingReader reader(store, tar.digest);
  std::string buffer(kPieceBytes, '\0');
  while (const std::size_t got = reader.read(buffer.data(), buffer.size()))
    chunker.write(std::string_view(buffer).substr(0, got));
  reader.finish();
  chunker.finish();
  return list;
}

}  // namespace

SharedMounts::SharedMounts(HomeLayout home, SharedCache& cache, Tools tools, std::uint64_t most_bytes)
    : home_(std::move(home)),
      cache_(cache),
      pool_(tools.pool),
      log_(tools.log),
      cancel_(std::move(tools.cancel)),
      most_bytes_(most_bytes) {}

std::string SharedMounts::key_of(const CacheMountName& name) {
  return std::string(
      oci::sha256_of(fmt::format("kiln shared cache mount 1\n{}\n", CacheMounts::folder_name(name))).hex());
}

void SharedMounts::used(const CacheMountName& name) {
  const std::lock_guard lock(mutex_);
  used_.insert_or_assign(key_of(name), name);
}

bool SharedMounts::restore(const CacheMountName& name, const fs::path& folder, std::string_view step) {
  if (!cache_.is_read()) return false;
  try {
    const SharedCache::Found found = cache_.find(key_of(name), kMountEntryType);
    if (!found.entry) return false;
    const ChunkList list = parse_chunk_list(found.entry->content, "chunk list of " + found.from);
    if (list.bytes > most_bytes_) {
      log_.warn(fmt::format("{} begins empty: in {} it has {}, and at most {} are fetched", title_of(name), found.from,
                            human_bytes(list.bytes), human_bytes(most_bytes_)));
      return false;
    }
    if (const auto lack = lack_of_space(home_, list.bytes)) {
      log_.warn(fmt::format("{} begins empty: {}", title_of(name), *lack));
      return false;
    }
    const TempDir draft(home_.tmp(), "mount-");
    ContentStore store(HomeLayout::open(draft.path()));
    ThreadPool fetching(std::clamp<std::size_t>(list.chunks.size(), 1, kParallelFetches));
    std::atomic<bool> is_whole{true};
    // All are fetched, whatever is wrong with one: only a chunk that was found to be damaged is written anew by save().
    fetching.parallel_for(list.chunks.size(), [&](std::size_t i) {
      if (!cache_.fetch_blob(blob_of(list.chunks[i]), store, FetchedKind::cache_mount, step)) is_whole = false;
    });
    if (!is_whole) {
      cache_.distrust(key_of(name));
      log_.warn(fmt::format("{} begins empty: not all of its chunks can be had", title_of(name)));
      return false;
    }
    ChunkSource tar(store, list);
    UnpackOptions options;
    options.to = UnpackTo::plain_tree;
    options.ownership = ::geteuid() == 0;
    options.devices = false;
    unpack_tar(tar, title_of(name), folder, {}, options, cancel_);
    // The tar may have an end of its own before the last chunk's.
    std::string rest(kPieceBytes, '\0');
    while (tar.read(rest.data(), rest.size()) > 0) continue;
    return true;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    cache_.distrust(key_of(name));
    log_.warn(fmt::format("{} begins empty: {}", title_of(name), error.message()));
    for (const auto& entry : fs::directory_iterator(folder)) remove_tree(entry.path());
    return false;
  }
}

void SharedMounts::save(CacheMounts& mounts) {
  std::map<std::string, CacheMountName> used;
  {
    const std::lock_guard lock(mutex_);
    used.swap(used_);
  }
  if (!cache_.is_written()) return;
  for (const auto& [key, name] : used) {
    try {
      save_one(name, mounts);
    } catch (const Error& error) {
      if (error.category() == Category::cancelled) throw;
      log_.warn(fmt::format("{} is not shared: {}", title_of(name), error.message()));
    }
  }
}

void SharedMounts::save_one(const CacheMountName& name, CacheMounts& mounts) {
  const auto lease = mounts.try_lock(name);
  if (!lease) return;
  const std::uint64_t bytes = disk_space(lease->folder());
  if (bytes > most_bytes_) {
    log_.warn(
        fmt::format("{} is not shared: it has {}, and at most {} are; make it smaller ('kiln cache prune --filter "
                    "type=cachemount')",
                    title_of(name), human_bytes(bytes), human_bytes(most_bytes_)));
    return;
  }
  if (const auto lack = lack_of_space(home_, bytes)) {
    log_.warn(fmt::format("{} is not shared: {}", title_of(name), *lack));
    return;
  }
  const TempDir draft(home_.tmp(), "mount-");
  ContentStore store(HomeLayout::open(draft.path()));
  const oci::Descriptor tar = tar_of(lease->folder(), store, pool_, cancel_);
  const ChunkList list = cut(tar, store);
  NewCacheEntry entry{{key_of(name), kMountEntryType, serialise(list), {}, ""}, {}, {}};
  std::set<oci::Digest> taken;
  for (const ChunkList::Chunk& chunk : list.chunks) {
    if (taken.insert(chunk.digest).second) entry.always.push_back(blob_of(chunk));
  }
  cache_.replace(std::move(entry), store);
}

}  // namespace kiln
