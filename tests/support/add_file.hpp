#pragma once

#include <string_view>

#include "builder/layer/byte_source.hpp"
#include "builder/layer/layer_writer.hpp"

namespace kiln::test {

// A file with these bytes; `entry.size` is set from them.
inline void add_file(LayerWriter& writer, FileEntry entry, std::string_view bytes) {
  entry.size = bytes.size();
  MemorySource source(bytes);
  writer.add(entry, source, "'" + entry.path + "'");
}

}  // namespace kiln::test
