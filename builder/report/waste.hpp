#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/file_index.hpp"

namespace kiln {

// Bytes of an image that are of no use where it runs, found from file indexes alone: nothing is unpacked.
enum class WasteKind {
  hidden,     // a later layer removes or replaces the file: its bytes travel with the image all the same
  doubled,    // a later layer holds the same bytes again for another owner or mode (chown, chmod)
  cache,      // caches of package managers and temporary files that were left behind
  duplicate,  // the same content under another path, where a hard link or a symlink would do
  build,      // headers, static libraries, tests and the like in an image that has no compiler
};

std::string_view to_string(WasteKind kind);
// Error{usage} where it is none.
WasteKind parse_waste_kind(std::string_view text);

// What one line of a Dockerfile could save in one way. Bytes are unpacked ones: what a layer compresses to cannot be
// told file by file.
struct Waste {
  WasteKind kind = WasteKind::hidden;
  std::size_t layer = 0;    // that holds the bytes, from the bottom
  std::size_t because = 0;  // the layer that hides or doubles them; `layer` itself for the other kinds
  std::uint64_t bytes = 0;
  std::size_t files = 0;
  std::string example;  // the path of the largest of them
  std::string advice;   // what to do about it, one sentence

  bool operator==(const Waste&) const = default;
};

// The waste in an image whose layers, from the bottom, have these indexes (none where it is not known: such a layer
// counts as empty). One entry per kind, layer and reason; the most bytes first, those below `least_bytes` left out. A
// file counts in one entry only.
std::vector<Waste> waste_of(const std::vector<std::shared_ptr<const FileIndex>>& layers,
                            std::uint64_t least_bytes = 64 << 10);

// The same file by file, whatever its size, before anything is summed up: each file at most once.
void each_wasted_file(const std::vector<std::shared_ptr<const FileIndex>>& layers,
                      const std::function<void(WasteKind kind, const FileEntry& entry)>& each);

}  // namespace kiln
