#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/layer_reader.hpp"
#include "builder/layer/layer_writer.hpp"

namespace kiln {

// Any tar as entries that a LayerWriter takes: the first pass lists and hashes a seekable, uncompressed tar file, then
// the data of each file can be opened in any order. So the entries can be renamed, dropped and given other owners in
// between.
//
// Entries are in entry order, each path once (a later one replaced an earlier one, as tar -x would do). Hard links
// point at the first path of their file in that order, wherever the tar had the data, and all names of a file have the
// owner, mode and time of the last header that spoke of it. Parents that the tar does not
// name are not made up.
class TarImport {
 public:
  // A hard link to what does not stand before it in the tar: Error{build}, or an entry that keeps that name as its
  // `link` and has no content (leads_out()): it is about what the tar is unpacked onto.
  enum class OutwardLinks { refuse, keep };
  struct Options {
    Whiteouts whiteouts;
    TarLimits limits = {};
    OutwardLinks outward = OutwardLinks::refuse;
  };
  TarImport(Fd tar, std::string name, const Options& options, const CancelToken& cancel = {});
  TarImport(TarImport&&) noexcept;
  TarImport& operator=(TarImport&&) noexcept;
  ~TarImport();

  const std::vector<FileEntry>& entries() const;
  static bool leads_out(const FileEntry& entry) { return entry.type == EntryType::hardlink && entry.content.empty(); }
  // Lets the caller change each entry's mode, owner and attributes, and nothing else of it.
  void change_entries(const std::function<void(FileEntry&)>& change);
  // The data of entries()[number], a file. Borrows this object.
  std::unique_ptr<ByteSource> open(std::size_t number) const;
  // Adds entries()[number], changed by the caller as it likes (path, owner, time), to a layer. Data is compared with
  // the digest found in the first pass.
  void add_to(LayerWriter& writer, std::size_t number, const FileEntry& entry) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// An archive that is compressed, or cannot be sought, as an unnamed temporary file in `folder`.
Fd spool_to_file(ByteSource& source, const fs::path& folder, std::uint64_t max_bytes, std::string_view name);

}  // namespace kiln
