#include "builder/layer/blob_compressor.hpp"

#include <algorithm>

namespace kiln {

BlobCompressor::BlobCompressor(ContentStore& store, ThreadPool& pool, const Compression& compression)
    : blob_(store.begin_blob()),
      compression_(compression),
      blocks_(std::make_shared<BlockCompressor>(compression)),
      joiner_(compression.kind),
      jobs_(pool, BufferOwner::compression) {}

void BlobCompressor::write(std::string_view tar_bytes) {
  hash_.update(tar_bytes);
  bytes_in_ += tar_bytes.size();
  if (compression_.kind == CompressionKind::none) {
    blob_.write(tar_bytes);
    return;
  }
  while (!tar_bytes.empty()) {
    if (block_.capacity() < kBlockBytes) block_.reserve(kBlockBytes);
    const std::size_t count = std::min(tar_bytes.size(), kBlockBytes - block_.size());
    block_.append(tar_bytes.substr(0, count));
    tar_bytes.remove_prefix(count);
    if (block_.size() == kBlockBytes) end_block();
  }
}

void BlobCompressor::end_block() {
  if (jobs_.full()) write_oldest();
  const std::size_t size = block_.size();
  frames_.push_back({0, size});
  jobs_.push(2 * size, [block = std::move(block_), blocks = blocks_] { return blocks->compress(block); });
  block_ = {};
}

void BlobCompressor::write_oldest() {
  Frame& frame = frames_[frames_written_++];
  const std::string compressed = joiner_.next(jobs_.pop(), frame.unpacked_bytes);
  frame.compressed_bytes = compressed.size();
  blob_.write(compressed);
}

oci::Digest BlobCompressor::finish_input() {
  // A stream of nothing still is one member or frame, since an empty file is neither gzip nor zstd.
  if (compression_.kind != CompressionKind::none && (!block_.empty() || frames_.empty())) end_block();
  return hash_.finish();
}

BlobCompressor::Result BlobCompressor::finish() {
  while (!jobs_.empty()) write_oldest();
  if (!frames_.empty()) {
    const std::string end = joiner_.end();
    frames_.back().compressed_bytes += end.size();
    blob_.write(end);
  }
  Result result;
  result.blob.media_type = compression_.media_type();
  result.blob.size = blob_.size();
  result.blob.digest = blob_.commit({}, Durability::ephemeral);
  result.frames = std::move(frames_);
  return result;
}

}  // namespace kiln
