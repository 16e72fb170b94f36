#include "builder/layer/index_layer.hpp"

#include <fmt/format.h>

#include <map>

#include "base/error.hpp"
#include "builder/layer/layer_reader.hpp"
#include "builder/layer/link_headers.hpp"
#include "builder/layer/path_before.hpp"
#include "builder/layer/read_ahead.hpp"
#include "builder/layer/tar_order.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

namespace {

// Hashes, counts and tells what passes.
class HashingSource : public ByteSource {
 public:
  HashingSource(ByteSource& source, const TarListener& listener) : source_(source), listener_(listener) {}
  std::size_t read(void* buffer, std::size_t size) override {
    const std::size_t count = source_.read(buffer, size);
    const std::string_view bytes(static_cast<const char*>(buffer), count);
    hash_.update(bytes);
    if (listener_) listener_(bytes);
    bytes_ += count;
    return count;
  }
  oci::Digest finish() { return hash_.finish(); }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  ByteSource& source_;
  const TarListener& listener_;
  oci::Sha256 hash_;
  std::uint64_t bytes_ = 0;
};

// Lists a tar's entries with the digests of their contents.
class Lister {
 public:
  Lister(TarReader& reader, const CancelToken& cancel) : reader_(reader), cancel_(cancel), buffer_(256 << 10, '\0') {}

  void run() {
    while (const FileEntry* entry = reader_.next()) {
      cancel_.check();
      FileEntry taken = *entry;
      if (taken.type == EntryType::file) take_file(taken);
      if (taken.type == EntryType::hardlink) take_link(taken);
      take_name(taken);
      entries.push_back(std::move(taken));
    }
    headers_.settle(entries);
  }

  std::vector<FileEntry> entries;
  std::map<std::string, std::string> kept;

 private:
  void take_file(FileEntry& entry) {
    oci::Sha256 hash;
    std::string text;
    const bool keep = is_kept_file(entry.path) && entry.size <= kMaxKeptFileBytes;
    while (const std::size_t count = reader_.read(buffer_.data(), buffer_.size())) {
      cancel_.check();
      hash.update({buffer_.data(), count});
      if (keep) text.append(buffer_.data(), count);
    }
    entry.content = hash.finish();
    if (keep) {
      kept[entry.path] = std::move(text);
    } else {
      kept.erase(entry.path);
    }
  }
  // A second name of a symlink or device is another one of the same kind, and that of a link to a file of a lower layer
  // is a link to that file.
  void take_link(FileEntry& link) {
    const auto found = names_.find(link.link);
    if (found == names_.end()) return;  // of a lower layer
    headers_.add(entries, found->second, link, entries.size());
    const FileEntry& target = entries[found->second];
    if (target.type == EntryType::hardlink && target.content.empty()) {
      link.link = target.link;
    } else if (target.type == EntryType::file || target.type == EntryType::hardlink) {
      link.content = target.content;
      link.size = target.size;
    } else {
      std::string path = std::move(link.path);
      link = target;
      link.path = std::move(path);
    }
  }
  // What is no folder takes away what stood at and below its path.
  void take_name(const FileEntry& entry) {
    if (entry.type == EntryType::whiteout || entry.type == EntryType::opaque) return;
    auto last = names_.lower_bound(entry.path);
    const auto first = last;
    const auto is_gone = [&](const std::string& path) {
      return entry.is_directory() ? path == entry.path : is_within(path, entry.path);
    };
    while (last != names_.end() && is_gone(last->first)) ++last;
    const auto next = names_.erase(first, last);
    if (!entry.is_directory()) names_.emplace_hint(next, entry.path, entries.size());
  }

  TarReader& reader_;
  const CancelToken& cancel_;
  std::string buffer_;
  LinkHeaders headers_;
  std::map<std::string, std::size_t, PathBefore> names_;  // what has a place, of `entries`; no folders
};

void check_diff_id(const oci::Digest& blob, const oci::Digest& expected, const oci::Digest& actual) {
  if (expected == actual) return;
  throw Error(Category::network,
              fmt::format("layer blob '{}': expected diff ID '{}', got '{}'; the image's config and its "
                          "layers do not belong together",
                          blob.str(), expected.str(), actual.str()));
}

}  // namespace

std::unique_ptr<ByteSource> open_layer_tar(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                                           const FileIndex* index) {
  auto bytes = std::make_unique<BlobSource>(store, blob.digest);
  std::string name = fmt::format("layer blob {}", blob.digest.str());
  if (index != nullptr) {
    if (const auto* frames = index->frames_of(blob.digest)) {
      return decompress_frames(std::move(bytes), *frames, pool, std::move(name));
    }
  }
  return decompress_stream(std::move(bytes), std::move(name));
}

IndexedLayer index_layer(ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                         const std::optional<oci::Digest>& expected_diff_id, const CancelToken& cancel,
                         const TarListener& listener) {
  if (const auto info = blob_info(store, blob.digest)) {
    if (expected_diff_id) check_diff_id(blob.digest, *expected_diff_id, info->diff_id);
    if (const auto index = index_of_layer(store, info->diff_id)) {
      store.lease(index->digest);
      if (store.has(index->digest)) return {info->diff_id, info->unpacked_bytes, *index};
    }
  }
  FileIndex index = read_layer(store, pool, blob, nullptr, cancel, listener);
  if (expected_diff_id) check_diff_id(blob.digest, *expected_diff_id, index.diff_id());
  const IndexedLayer result{index.diff_id(), index.unpacked_bytes(), store_index(store, index)};
  set_blob_info(store, blob.digest, {result.diff_id, result.unpacked_bytes});
  return result;
}

FileIndex read_layer(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob, const FileIndex* frames,
                     const CancelToken& cancel, const TarListener& listener) {
  ReadAheadSource plain(open_layer_tar(store, pool, blob, frames));
  HashingSource tar(plain, listener);
  const std::string name = fmt::format("layer blob {}", blob.digest.str());
  TarReader reader(tar, name, Whiteouts::recognise);
  Lister lister(reader, cancel);
  lister.run();

  FileIndex::Parts parts;
  parts.diff_id = tar.finish();
  parts.unpacked_bytes = tar.bytes();
  for (TarEntry& item : settle_tar_entries(std::move(lister.entries), name)) {
    if (item.entry.type == EntryType::file) {
      if (const auto text = lister.kept.find(item.entry.path);
          text != lister.kept.end() && oci::sha256_of(text->second) == item.entry.content) {
        parts.kept.insert(*text);
      }
    }
    parts.entries.push_back(std::move(item.entry));
  }
  return FileIndex(std::move(parts));
}

}  // namespace kiln
