#include "builder/layer/layer_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/blob_compressor.hpp"
#include "builder/layer/file_bytes.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/tar_encoder.hpp"
#include "builder/layer/tar_header.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

namespace {

constexpr std::size_t kReadBytes = 256 << 10;

[[noreturn]] void refuse_changed(std::string_view source_name) {
  throw Error(Category::build, fmt::format("{} changed while it was being read; build again", printable(source_name)));
}

}  // namespace

struct LayerWriter::State {
  State(ContentStore& store_in, ThreadPool& pool, LayerWriterOptions options_in, CancelToken cancel_in)
      : store(store_in),
        options(std::move(options_in)),
        cancel(std::move(cancel_in)),
        tar([this](std::string_view bytes) {
          blob ? blob->write(bytes) : tar_hash.update(bytes);
          index.unpacked_bytes += bytes.size();
          if (options.listener) options.listener(bytes);
        }) {
    if (!options.diff_id_only) blob.emplace(store_in, pool, options.compression);
  }

  ContentStore& store;
  LayerWriterOptions options;
  CancelToken cancel;
  std::optional<BlobCompressor> blob;
  oci::Sha256 tar_hash;  // where there is no blob
  TarEncoder tar;
  FileIndex::Parts index;
  FileBytes file_bytes{FileUse::copied};
  std::string buffer;
  std::string ordinary_name;  // the first path that only looks like a whiteout's
  bool complete = false;

  FileEntry accept(const FileEntry& given) {
    cancel.check();
    if (complete) throw Error(Category::build, "layer: an entry came after its end");
    check_entry(given, "layer", Category::build);
    FileEntry entry = given;
    if (!index.entries.empty() && !entry_before(index.entries.back(), entry)) {
      throw Error(Category::build, fmt::format("layer: entry '{}' came after '{}'; expected each path once, in order",
                                               printable(entry.path), printable(index.entries.back().path)));
    }
    const bool is_mark = entry.type == EntryType::whiteout || entry.type == EntryType::opaque;
    if (entry.type == EntryType::char_device && entry.device_major == 0 && entry.device_minor == 0) {
      throw Error(Category::build, fmt::format("'{}' cannot be in a layer: a character device 0:0 means a removed "
                                               "file there",
                                               printable(entry.path)));
    }
    if (!is_mark) {
      entry.mtime = tar::nearest_time(entry.mtime);
      if (options.set_mtime) entry.mtime = *options.set_mtime;
      if (options.clamp_mtime) entry.mtime = std::min(entry.mtime, *options.clamp_mtime);
    }
    if (entry.type == EntryType::hardlink) take_target(entry);
    if (entry.type == EntryType::file) file_bytes.add(entry.path, entry.size);
    return entry;
  }

  void take_target(FileEntry& link) const {
    const auto target = std::lower_bound(
        index.entries.begin(), index.entries.end(), link.link,
        [](const FileEntry& entry, const std::string& path) { return compare_paths(entry.path, path) < 0; });
    if (target == index.entries.end() || target->path != link.link || target->type != EntryType::file) {
      throw Error(Category::build, fmt::format("layer: hard link '{}' to '{}', which is no file added before it",
                                               printable(link.path), printable(link.link)));
    }
    link.size = target->size;
    link.content = target->content;
    link.mode = target->mode;
    link.uid = target->uid;
    link.gid = target->gid;
    link.mtime = target->mtime;
    link.xattrs.clear();
  }

  // In the index the path says what it is; in a tar a name that begins like a whiteout needs a word, and its removal
  // is told as overlayfs has it: ".wh..wh.a" would be a mark of aufs.
  void write_header(const FileEntry& entry) {
    if (entry.type == EntryType::opaque || !base_name(entry.path).starts_with(kWhiteoutPrefix))
      return tar.header(entry);
    if (ordinary_name.empty()) ordinary_name = entry.path;
    FileEntry told = entry;
    if (entry.type == EntryType::whiteout) told.type = EntryType::char_device;
    told.xattrs[std::string(kOrdinaryNameXattr)] = "1";
    tar.header(told);
  }

  void add_file(FileEntry entry, ByteSource& source, std::string_view source_name) {
    write_header(entry);
    oci::Sha256 hash;
    std::string* kept = nullptr;
    if (entry.size <= kMaxKeptFileBytes && is_kept_file(entry.path)) kept = &index.kept[entry.path];
    buffer.resize(kReadBytes);
    for (std::uint64_t left = entry.size; left > 0;) {
      cancel.check();
      const std::size_t count = source.read(buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
      if (count == 0) refuse_changed(source_name);
      const std::string_view piece(buffer.data(), count);
      hash.update(piece);
      tar.data(piece);
      if (kept != nullptr) *kept += piece;
      left -= count;
    }
    char beyond;
    if (source.read(&beyond, 1) != 0) refuse_changed(source_name);
    oci::Digest content = hash.finish();
    if (!entry.content.empty() && entry.content != content) refuse_changed(source_name);
    entry.content = std::move(content);
    index.entries.push_back(std::move(entry));
  }
};

LayerWriter::LayerWriter(ContentStore& store, ThreadPool& pool, LayerWriterOptions options, CancelToken cancel)
    : state_(std::make_unique<State>(store, pool, std::move(options), std::move(cancel))) {}
LayerWriter::LayerWriter(LayerWriter&&) noexcept = default;
LayerWriter& LayerWriter::operator=(LayerWriter&&) noexcept = default;
LayerWriter::~LayerWriter() = default;

void LayerWriter::add(const FileEntry& entry) {
  FileEntry accepted = state_->accept(entry);
  if (accepted.type == EntryType::file) {
    if (accepted.size > 0) {
      throw Error(Category::build, fmt::format("layer: file '{}' came without its data", printable(entry.path)));
    }
    MemorySource nothing({});
    state_->add_file(std::move(accepted), nothing, entry.path);
    return;
  }
  state_->write_header(accepted);
  state_->index.entries.push_back(std::move(accepted));
}

void LayerWriter::add(const FileEntry& entry, const Fd& source, std::string_view source_name) {
  FdSource bytes(source, std::string(source_name));
  add(entry, bytes, source_name);
}

void LayerWriter::add(const FileEntry& entry, ByteSource& source, std::string_view source_name) {
  if (entry.type != EntryType::file) {
    throw Error(Category::build, fmt::format("layer: data came for '{}', which is no file", printable(entry.path)));
  }
  state_->add_file(state_->accept(entry), source, source_name);
}

const oci::Digest& LayerWriter::finish_diff_id() {
  State& state = *state_;
  if (!state.complete) {
    state.tar.finish();
    state.index.diff_id = state.blob ? state.blob->finish_input() : state.tar_hash.finish();
    state.complete = true;
  }
  return state.index.diff_id;
}

LayerValue LayerWriter::finish() {
  finish_diff_id();
  State& state = *state_;
  auto [blob, frames] = state.blob.value().finish();
  LayerValue layer;
  layer.diff_id = state.index.diff_id;
  layer.unpacked_bytes = state.index.unpacked_bytes;
  state.index.blobs.push_back({blob.digest, std::move(frames)});
  layer.index = store_index(state.store, FileIndex(std::move(state.index)));
  set_blob_info(state.store, blob.digest, {layer.diff_id, layer.unpacked_bytes});
  if (!state.ordinary_name.empty())
    blob.annotations[std::string(kOrdinaryNameAnnotation)] = printable(state.ordinary_name);
  layer.blobs.push_back({std::move(blob), state.options.compression});
  return layer;
}

LayerValue LayerWriter::finish_as(LayerBlob blob) {
  finish_diff_id();
  State& state = *state_;
  LayerValue layer;
  layer.diff_id = state.index.diff_id;
  layer.unpacked_bytes = state.index.unpacked_bytes;
  layer.index = store_index(state.store, FileIndex(std::move(state.index)));
  layer.blobs.push_back(std::move(blob));
  return layer;
}

LayerValue recompress_layer(ContentStore& store, ThreadPool& pool, const LayerValue& layer,
                            const Compression& compression, const CancelToken& cancel) {
  const auto with_form = [&](oci::Descriptor blob) {
    LayerValue result = layer;
    for (const LayerBlob& other : layer.blobs)
      blob.annotations.insert(other.descriptor.annotations.begin(), other.descriptor.annotations.end());
    std::erase_if(result.blobs, [&](const LayerBlob& other) { return other.compression == compression; });
    result.blobs.push_back({std::move(blob), compression});
    return result;
  };
  if (auto known = form_of_layer(store, layer.diff_id, compression.str())) {
    known->media_type = compression.media_type();
    return with_form(std::move(*known));
  }
  const auto from = std::find_if(layer.blobs.begin(), layer.blobs.end(),
                                 [&](const LayerBlob& blob) { return store.has(blob.descriptor.digest); });
  if (from == layer.blobs.end()) {
    throw Error(Category::machine, fmt::format("layer '{}': none of its blobs is in the store", layer.diff_id.str()));
  }
  std::optional<FileIndex> index;
  if (layer.index && store.has(layer.index->digest)) {
    index = FileIndex::parse(store.read(layer.index->digest, std::uint64_t{1} << 30), layer.index->digest.str());
  }
  BlobCompressor compressor(store, pool, compression);
  const auto tar = open_layer_tar(store, pool, from->descriptor, index ? &*index : nullptr);
  std::string buffer(kReadBytes, '\0');
  while (const std::size_t count = tar->read(buffer.data(), buffer.size())) {
    cancel.check();
    compressor.write({buffer.data(), count});
  }
  const oci::Digest diff_id = compressor.finish_input();
  if (diff_id != layer.diff_id) {
    throw Error(Category::machine, fmt::format("blob '{}': expected diff ID '{}', got '{}'; run 'kiln cache verify'",
                                               from->descriptor.digest.str(), layer.diff_id.str(), diff_id.str()));
  }
  auto [blob, frames] = compressor.finish();
  set_blob_info(store, blob.digest, {diff_id, compressor.bytes_in()});
  set_form_of_layer(store, diff_id, compression.str(), blob);
  LayerValue result = with_form(blob);
  result.unpacked_bytes = compressor.bytes_in();
  if (index) result.index = store_index(store, index->with_blob({blob.digest, std::move(frames)}));
  return result;
}

}  // namespace kiln
