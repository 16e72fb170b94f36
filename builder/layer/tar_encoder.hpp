#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "builder/layer/file_entry.hpp"

namespace kiln {

// Entries and data in, tar bytes out, through libarchive: ustar, with pax records before the entries that ustar cannot
// say; names as bytes (hdrcharset=BINARY), xattrs as SCHILY.xattr only, whole seconds, no names of users. The bytes are
// pinned by golden tests: every diff ID rests on them.
class TarEncoder {
 public:
  // `out` gets the tar in pieces; what it throws leaves the method that caused it.
  explicit TarEncoder(std::function<void(std::string_view)> out);
  ~TarEncoder();
  TarEncoder(const TarEncoder&) = delete;
  TarEncoder& operator=(const TarEncoder&) = delete;

  void header(const FileEntry& entry);
  // Data of the file whose header came last; in all as many bytes as its size says.
  void data(std::string_view bytes);
  // The two zero blocks at the end.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
