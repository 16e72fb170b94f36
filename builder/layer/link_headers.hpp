#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "builder/layer/file_entry.hpp"

namespace kiln {

// The headers of hard links, as unpacking programs take them: owner, mode and time of a link are set on the file that
// it is another name of, so that of all headers of one file the last one counts, for all its names. Attributes stay
// those of the first, and so do mode and time of a symbolic link. containerd and docker do so for layers and for
// archives.
class LinkHeaders {
 public:
  // `header` is read as another name of entries[target], and will be entries[number].
  void add(std::vector<FileEntry>& entries, std::size_t target, const FileEntry& header, std::size_t number);
  // Once all are read: lets the names of a file have what it has.
  void settle(std::vector<FileEntry>& entries) const;

 private:
  std::unordered_map<std::size_t, std::size_t> files_;  // of each link, the entry that its file came with
};

}  // namespace kiln
