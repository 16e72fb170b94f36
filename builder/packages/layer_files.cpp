#include "builder/packages/layer_files.hpp"

#include <fmt/format.h>

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

}  // namespace

std::map<std::string, std::string> read_layer_files(const ContentStore& store, ThreadPool& pool,
                                                    const oci::Descriptor& blob, const FileIndex& index,
                                                    const std::set<std::string>& paths, const CancelToken& cancel) {
  std::map<std::string, std::string> found;
  std::size_t wanted = 0;
  for (const std::string& path : paths) {
    const FileEntry* entry = index.find(path);
    if (entry != nullptr && entry->type == EntryType::file) ++wanted;
  }
  if (wanted == 0) return found;
  const auto tar = open_layer_tar(store, pool, blob, &index);
  TarReader reader(*tar, fmt::format("layer blob {}", blob.digest.str()), Whiteouts::recognise);
  while (found.size() < wanted) {
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
