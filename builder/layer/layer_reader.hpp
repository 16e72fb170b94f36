#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "builder/layer/byte_source.hpp"
#include "builder/layer/file_entry.hpp"

namespace kiln {

// Bounds for a tar that may be hostile.
struct TarLimits {
  std::uint64_t max_entries = 5'000'000;
  std::uint64_t max_file_bytes = std::uint64_t{1} << 40;
  std::uint64_t max_total_bytes = std::uint64_t{1} << 41;   // of all files, sparse ones at full length
  std::uint64_t max_header_bytes = std::uint64_t{1} << 20;  // of one entry's pax and GNU long-name records
  std::uint64_t max_xattr_bytes = 64 << 10;                 // of one value, as the kernel has it
  // Of the paths of all entries, and of the folders among them that no entry names: a tar of some KB may lead through
  // millions of those, each of which is made, listed and written.
  std::uint64_t max_path_bytes = std::uint64_t{512} << 20;
  std::uint64_t max_unnamed_folder_bytes = std::uint64_t{64} << 20;
  // Of the link targets and extended attributes of all entries: a global header gives each entry its attributes.
  std::uint64_t max_property_bytes = std::uint64_t{128} << 20;
  std::uint64_t max_global_header_bytes = std::uint64_t{1} << 20;  // of all global headers
  std::uint64_t max_link_steps = 20'000'000;  // components of names that are gone through behind links of the tar
};

// How a tar's names are taken.
enum class Whiteouts {
  recognise,  // a layer: ".wh.x" is a whiteout entry of x, ".wh..wh..opq" an opaque marker
  ordinary,   // any other archive: they are names like others
};

// Where the data of a tar's file lies in the tar, so that it can be read again.
struct TarExtent {
  std::uint64_t tar_offset = 0;
  std::uint64_t file_offset = 0;  // a sparse file has several, with zeros between them
  std::uint64_t bytes = 0;
};

// Reads any tar stream (v7, ustar, GNU with long names, base-256 numbers and sparse files, pax): entries in tar order,
// names as bytes, whatever their encoding. For one thread at a time. All errors are Error{build} naming `name`: cut or
// damaged headers, names that canonical_entry_path() refuses, limits exceeded.
//
// Entry types that cannot be made (volume labels, GNU dumpdirs) are passed over; unknown ones are refused.
class TarReader {
 public:
  TarReader(ByteSource& tar, std::string name, Whiteouts whiteouts, TarLimits limits = {});
  ~TarReader();

  // The next entry, or nullptr at the end, where trailing bytes of the stream have been read to their end too. The
  // entry is the reader's until the next call. What is left of the one before is passed over. `content` is empty.
  const FileEntry* next();
  // Data of the current file, zeros of a sparse one included; 0 at its end.
  std::size_t read(void* buffer, std::size_t size);
  // Of the current file.
  const std::vector<TarExtent>& extents() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
