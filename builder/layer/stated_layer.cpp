#include "builder/layer/stated_layer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/index_layer.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{1} << 30;

FileIndex load(const ContentStore& store, const oci::Descriptor& index) {
  return FileIndex::parse(store.read(index.digest, kMaxIndexBytes), fmt::format("file index '{}'", index.digest.str()));
}

// What of a stated index is not so; frames are proven by reading with them.
std::string false_entry(const FileIndex& stated, const FileIndex& actual) {
  if (stated.diff_id() != actual.diff_id())
    return fmt::format("its file index is that of layer '{}'", stated.diff_id().str());
  if (stated.unpacked_bytes() != actual.unpacked_bytes())
    return fmt::format("its file index speaks of {} bytes, and the layer has {}", stated.unpacked_bytes(),
                       actual.unpacked_bytes());
  const auto& said = stated.entries();
  const auto& there = actual.entries();
  const auto [a, b] = std::mismatch(said.begin(), said.end(), there.begin(), there.end());
  if (a != said.end() && (b == there.end() || entry_before(*a, *b)))
    return fmt::format("its file index has '{}', which the layer has not", printable(a->path));
  if (b != there.end() && (a == said.end() || entry_before(*b, *a)))
    return fmt::format("its file index lacks '{}' of the layer", printable(b->path));
  if (a != said.end())
    return fmt::format("its file index says another thing of '{}' than the layer", printable(a->path));
  for (const std::string_view path : kKeptFiles) {
    const std::string* text = stated.kept_file(path);
    const std::string* actual_text = actual.kept_file(path);
    if ((text == nullptr) != (actual_text == nullptr) || (text != nullptr && *text != *actual_text))
      return fmt::format("its file index has another '{}' than the layer", path);
  }
  return "";
}

std::string false_numbers(const StatedLayer& stated, const BlobInfo& actual) {
  if (stated.diff_id != actual.diff_id)
    return fmt::format("it names the layer '{}', and its blob holds '{}'", stated.diff_id.str(), actual.diff_id.str());
  if (stated.unpacked_bytes != 0 && stated.unpacked_bytes != actual.unpacked_bytes)
    return fmt::format("it names {} bytes, and the layer has {}", stated.unpacked_bytes, actual.unpacked_bytes);
  return "";
}

// Whether the frames of the blob are those that are known, or are not named.
bool has_proven_frames(const FileIndex& stated, const FileIndex& known, const oci::Digest& blob) {
  const auto* frames = stated.frames_of(blob);
  const auto* proven = known.frames_of(blob);
  return frames == nullptr || frames->empty() || (proven != nullptr && *proven == *frames);
}

}  // namespace

std::string false_statement(ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                            const StatedLayer& stated, const CancelToken& cancel) {
  const std::optional<BlobInfo> info = blob_info(store, blob.digest);
  if (info) {
    if (std::string problem = false_numbers(stated, *info); !problem.empty()) return problem;
  }
  const std::optional<oci::Descriptor> known = info ? index_of_layer(store, info->diff_id) : std::nullopt;
  const bool has_index = stated.index && store.has(stated.index->digest);
  if (info && (!has_index || (known && known->digest == stated.index->digest))) return "";
  try {
    std::optional<FileIndex> index;
    if (has_index) index = load(store, *stated.index);
    if (index && known && store.has(known->digest)) {
      const FileIndex actual = load(store, *known);
      if (std::string problem = false_entry(*index, actual); !problem.empty()) return problem;
      if (has_proven_frames(*index, actual, blob.digest)) return "";
    }
    const FileIndex actual = read_layer(store, pool, blob, index ? &*index : nullptr, cancel);
    const BlobInfo read{actual.diff_id(), actual.unpacked_bytes()};
    std::string problem = false_numbers(stated, read);
    if (problem.empty() && index) problem = false_entry(*index, actual);
    // The stated index is worth more than the one that was read: it has the blob's frames.
    if (problem.empty() && index) {
      set_index_of_layer(store, read.diff_id, *stated.index);
    } else {
      store_index(store, actual);
    }
    set_blob_info(store, blob.digest, read);
    return problem;
  } catch (const Error& error) {
    if (error.category() != Category::network && error.category() != Category::build) throw;
    return error.message();
  }
}

}  // namespace kiln
