#include "builder/packages/layer_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/error.hpp"
#include "builder/layer/frame_reader.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/layer_reader.hpp"

namespace kiln {

namespace {

std::string read_entry(TarReader& reader, std::uint64_t size) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const std::size_t got = reader.read(bytes.data() + filled, bytes.size() - filled);
    if (got == 0) break;
    filled += got;
  }
  bytes.resize(filled);
  return bytes;
}

// A file that is wanted, and where it is said to be in the tar.
struct Wanted {
  const FileEntry* entry = nullptr;
  std::uint64_t offset = 0;
  std::string bytes;
};

std::vector<Wanted> wanted_files(const FileIndex& index, const std::set<std::string>& paths) {
  std::vector<Wanted> wanted;
  for (const std::string& path : paths) {
    const FileEntry* entry = index.find(path);
    if (entry != nullptr && entry->type == EntryType::file) wanted.push_back({entry, 0, {}});
  }
  return wanted;
}

// Files that lie in frames which can be inflated apart: of a layer of several GB, some MB. False where a file is not
// where it should be, so that the whole tar must tell.
bool read_from_frames(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob, const FileIndex& index,
                      std::vector<Wanted>& wanted) {
  const std::vector<Frame>* frames = index.frames_of(blob.digest);
  if (frames == nullptr || frames->size() < 2) return false;
  const auto offsets = data_offsets(index);
  if (!offsets) return false;
  for (Wanted& file : wanted) file.offset = (*offsets)[static_cast<std::size_t>(file.entry - index.entries().data())];
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.offset < b.offset; });
  // Neighbours are in the same frames: each thread takes a stretch of them.
  const std::size_t stretches = std::min(wanted.size(), 4 * std::max<std::size_t>(1, pool.size()));
  std::atomic<bool> all_found{true};
  pool.parallel_for(stretches, [&](std::size_t stretch) {
    FrameReader reader(store, blob, *frames);
    const std::size_t end = (stretch + 1) * wanted.size() / stretches;
    for (std::size_t i = stretch * wanted.size() / stretches; i < end && all_found; ++i) {
      Wanted& file = wanted[i];
      file.bytes = reader.read(file.offset, file.entry->size);
      if (oci::sha256_of(file.bytes) != file.entry->content) all_found = false;
    }
  });
  return all_found;
}

}  // namespace

std::map<std::string, std::string> read_layer_files(const ContentStore& store, ThreadPool& pool,
                                                    const oci::Descriptor& blob, const FileIndex& index,
                                                    const std::set<std::string>& paths, const CancelToken& cancel) {
  std::map<std::string, std::string> found;
  std::vector<Wanted> wanted = wanted_files(index, paths);
  if (wanted.empty()) return found;
  cancel.check();
  try {
    if (read_from_frames(store, pool, blob, index, wanted)) {
      for (Wanted& file : wanted) found.emplace(file.entry->path, std::move(file.bytes));
      return found;
    }
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    // Read from its beginning the blob says what is wrong with it, by its digest.
  }
  const auto tar = open_layer_tar(store, pool, blob, &index);
  TarReader reader(*tar, fmt::format("layer blob {}", blob.digest.str()), Whiteouts::recognise);
  while (found.size() < wanted.size()) {
    const FileEntry* entry = reader.next();
    if (entry == nullptr) break;
    cancel.check();
    if (entry->type != EntryType::file || paths.count(entry->path) == 0) continue;
    const FileEntry* indexed = index.find(entry->path);
    if (indexed == nullptr || indexed->type != EntryType::file || indexed->size != entry->size) continue;
    const std::string path = entry->path;
    std::string bytes = read_entry(reader, indexed->size);
    if (oci::sha256_of(bytes) == indexed->content) found.emplace(path, std::move(bytes));
  }
  return found;
}

}  // namespace kiln
