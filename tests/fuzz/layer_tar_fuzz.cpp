#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/tar_encoder.hpp"
#include "builder/layer/tar_import.hpp"
#include "builder/layer/tar_order.hpp"
#include "tests/fuzz/attempt.hpp"
#include "tests/fuzz/tar_inputs.hpp"

// Any bytes as a tar, in memory: read as a layer, put in order, made an index, written again as kiln writes layers;
// read as an archive and opened file by file. layer_unpack_fuzz.cpp has what touches the disk.
namespace kiln::fuzz {

namespace {

using Files = std::vector<std::string>;

std::string read_file(TarReader& reader) {
  std::string bytes, buffer(4096, '\0');
  while (const std::size_t count = reader.read(buffer.data(), buffer.size())) bytes.append(buffer, 0, count);
  return bytes;
}

std::vector<FileEntry> read_entries(const std::string& tar, Files& files) {
  MemorySource source(tar);
  TarReader reader(source, "input", Whiteouts::recognise, small_tar_limits());
  std::vector<FileEntry> entries;
  while (const FileEntry* next = reader.next()) {
    FileEntry entry = *next;
    files.push_back(read_file(reader));
    require(entry.type != EntryType::file || files.back().size() == entry.size,
            "a file of another size than its entry says");
    entries.push_back(std::move(entry));
  }
  return entries;
}

void make_index(const std::string& tar, std::vector<FileEntry> entries, const Files& files) {
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (entries[i].type == EntryType::file) entries[i].content = oci::sha256_of(files[i]);
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of(tar);
  for (TarEntry& item : settle_tar_entries(std::move(entries), "input")) parts.entries.push_back(std::move(item.entry));
  must_take("settled entries are no index", [&] {
    const FileIndex built(std::move(parts));
    require(FileIndex::parse(built.serialise(), "again") == built, "an index that cannot be read back");
  });
}

// A hard link's attributes and size are its file's, and in a tar they stand there alone.
FileEntry as_read(FileEntry entry) {
  if (entry.type == EntryType::hardlink) {
    entry.size = 0;
    entry.xattrs.clear();
  }
  return entry;
}

// As LayerWriter tells a name that only looks like a whiteout's, and its removal.
FileEntry as_written(FileEntry entry) {
  if (entry.type == EntryType::opaque || !base_name(entry.path).starts_with(kWhiteoutPrefix)) return entry;
  if (entry.type == EntryType::whiteout) entry.type = EntryType::char_device;
  entry.xattrs[std::string(kOrdinaryNameXattr)] = "1";
  return entry;
}

void write_again(const std::vector<FileEntry>& entries, const Files& files) {
  must_take("a tar that kiln wrote is refused", [&] {
    std::string tar;
    TarEncoder encoder([&](std::string_view piece) { tar += piece; });
    for (std::size_t i = 0; i < entries.size(); ++i) {
      encoder.header(as_written(entries[i]));
      encoder.data(files[i]);
    }
    encoder.finish();
    Files again_files;
    const std::vector<FileEntry> again = read_entries(tar, again_files);
    require(again.size() == entries.size() && again_files == files, "a tar that kiln wrote holds something else");
    for (std::size_t i = 0; i < again.size(); ++i)
      require(as_read(again[i]) == as_read(entries[i]), "an entry that kiln wrote is another one");
  });
}

Fd in_memory(const std::string& bytes) {
  Fd file(::memfd_create("input", MFD_CLOEXEC));
  require(file && ::pwrite(file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
          "no memory file");
  return file;
}

void import(const std::string& tar) {
  const TarImport imported(in_memory(tar), "input", {Whiteouts::ordinary, small_tar_limits()});
  for (std::size_t i = 0; i < imported.entries().size(); ++i) {
    const FileEntry& entry = imported.entries()[i];
    if (entry.type != EntryType::file) continue;
    require(oci::sha256_of(read_to_end(*imported.open(i), 1 << 20, "input")) == entry.content, "data of another file");
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  const std::string tar = sealed_tar(input);
  may_refuse(Category::build, [&] {
    Files files;
    const std::vector<FileEntry> entries = read_entries(tar, files);
    write_again(entries, files);
    make_index(tar, entries, files);
  });
  may_refuse(Category::build, [&] { import(tar); });
}

std::vector<std::string> seeds() { return tar_seeds(); }

std::vector<std::string> words() { return tar_words(); }

}  // namespace kiln::fuzz
