#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/cancel.hpp"
#include "base/fd.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/layer.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

struct LayerWriterOptions {
  Compression compression;
  std::optional<UnixSeconds> set_mtime;    // every entry gets this time
  std::optional<UnixSeconds> clamp_mtime;  // entries get at most this time
  TarListener listener;                    // may be empty
  // All that is wanted is finish_diff_id() or finish_as(): nothing is compressed, and no blob comes into the store.
  bool diff_id_only = false;
};

// Makes a layer in one pass: entries -> tar -> diff ID -> blocks, compressed in the pool -> blob in the store, and its
// file index beside it. Memory is bounded by a few blocks per thread of the pool.
//
// Entries come in entry order (entry_before), each path once; that parents come along is the caller's duty (so that a
// layer does not change the mode of a folder it merely reaches through). Names that begin with ".wh." are ordinary; a
// layer with one is told by the annotation kOrdinaryNameAnnotation of its blob, and no image may hold it. The tar is
// pax (POSIX.1-2001) where ustar cannot say it, whole seconds, numeric owners, xattrs as SCHILY.xattr; its bytes, and
// so the diff ID, are promised for ever.
//
// For one thread at a time; that thread may be one of the pool's. Dropped without finish() it leaves nothing.
class LayerWriter {
 public:
  LayerWriter(ContentStore& store, ThreadPool& pool, LayerWriterOptions options, CancelToken cancel = {});
  LayerWriter(LayerWriter&&) noexcept;
  LayerWriter& operator=(LayerWriter&&) noexcept;
  ~LayerWriter();

  // An entry without data (everything but a file with bytes). A hard link's target must have been added before.
  void add(const FileEntry& entry);
  // A file with data. Exactly `entry.size` bytes must come, and where `entry.content` is not empty they must have that
  // digest: Error{build} otherwise, "SOURCE_NAME changed while it was being read"; so the name has its quotes already.
  void add(const FileEntry& entry, const Fd& source, std::string_view source_name);
  void add(const FileEntry& entry, ByteSource& source, std::string_view source_name);

  // Completes the tar. The last blocks may still be in compression, so a step that needs the diff ID can go on.
  const oci::Digest& finish_diff_id();
  // Not with diff_id_only. Waits for the blob, puts it and the index into the store (Durability::ephemeral: the caller
  // runs store.sync() before anything durable names them) and records the store's index_of_layer() and blob_info().
  LayerValue finish();
  // With diff_id_only, of a layer whose blob is known and may be elsewhere: puts the index alone into the store.
  LayerValue finish_as(LayerBlob blob);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Compresses a layer that is in the store in one form in another one, and records it. The index, where the store has
// it, gets the new blob's frames. Done once: the store remembers the blob for as long as it has it.
LayerValue recompress_layer(ContentStore& store, ThreadPool& pool, const LayerValue& layer,
                            const Compression& compression, const CancelToken& cancel = {});

}  // namespace kiln
