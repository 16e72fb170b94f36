#include <zstd.h>

#include "base/error.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/merged_view.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any text as what a file index holds: what is accepted must be exactly what would be written, and be usable. The first
// version is read, and written as the second.
namespace kiln::fuzz {

namespace {

std::string packed(std::string_view text) {
  std::string blob(ZSTD_compressBound(text.size()), '\0');
  blob.resize(ZSTD_compress(blob.data(), blob.size(), text.data(), text.size(), 1));
  return blob;
}

std::string unpacked(const std::string& blob) {
  std::string text(ZSTD_getFrameContentSize(blob.data(), blob.size()), '\0');
  text.resize(ZSTD_decompress(text.data(), text.size(), blob.data(), blob.size()));
  return text;
}

std::string in_second_version(std::string_view text) {
  constexpr std::string_view kFirst = "kiln file index 1\n";
  return text.starts_with(kFirst) ? "kiln file index 2\n" + std::string(text.substr(kFirst.size())) : std::string(text);
}

FileEntry entry_of(std::string path, EntryType type, std::string_view text = {}) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  if (type == EntryType::file) {
    entry.mode = 0644;
    entry.size = text.size();
    entry.content = oci::sha256_of(text);
  }
  return entry;
}

void use(const FileIndex& index) {
  const MergedView view({std::make_shared<const FileIndex>(index), std::make_shared<const FileIndex>(index)});
  std::size_t seen = 0;
  view.walk("", [&](const MergedView::Found& found) {
    require(view.lookup(found.path).has_value(), "a walk shows what a lookup does not");
    ++seen;
    return seen < 2000;
  });
  for (const FileEntry& entry : index.entries()) {
    if (entry.type == EntryType::opaque) continue;
    require(index.find(entry.path) == &entry, "an entry is not found");
    try {
      view.resolve(entry.path, MergedView::FollowLast::yes);
    } catch (const Error& error) {
      require(error.category() == Category::build, "another category");
    }
    if (++seen > 4000) break;
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  for (const bool as_blob : {false, true}) {
    try {
      const FileIndex index = FileIndex::parse(as_blob ? std::string(input) : packed(input), "input");
      if (!as_blob)
        require(unpacked(index.serialise()) == in_second_version(input), "accepted what would not be written");
      use(index);
    } catch (const Error& error) {
      require(error.category() == Category::network, "another category");
    }
  }
}

std::vector<std::string> seeds() {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("tar");
  parts.unpacked_bytes = 300;
  parts.blobs = {{oci::sha256_of("gzip"), {{10, 100}, {20, 200}}}, {oci::sha256_of("zstd"), {}}};
  FileEntry symlink = entry_of("lib", EntryType::symlink);
  symlink.link = "usr/../lib";
  FileEntry link = entry_of("z", EntryType::hardlink);
  link.link = "etc/passwd";
  FileEntry device = entry_of("null", EntryType::char_device);
  device.device_major = 1;
  FileEntry file = entry_of("usr/x", EntryType::file, "x");
  file.xattrs = {{"user.a", "1"}, {"user.b", ""}};
  parts.entries = {entry_of("etc", EntryType::directory),
                   entry_of("etc", EntryType::opaque),
                   entry_of("etc/passwd", EntryType::file, "root\n"),
                   symlink,
                   link,
                   device,
                   file,
                   entry_of("gone", EntryType::whiteout)};
  parts.kept = {{"etc/passwd", "root\n"}};
  FileIndex::Parts empty;
  empty.diff_id = oci::sha256_of("");
  return {unpacked(FileIndex(std::move(parts)).serialise()), unpacked(FileIndex(empty).serialise()),
          FileIndex(empty).serialise()};
}

std::vector<std::string> words() {
  return {"0:",        "1:a",      "3:../",      "f ", "d 1:b 755 0 0 0 0 0: - 0 0 0\n", "w 1:b 0 0 0 0 0 0: - 0 0 0\n",
          "o 3:etc",   "\n",       " ",          "-",  "18446744073709551615",           "9223372036854775807",
          "blobs 1\n", "kept 0\n", "entries 3\n"};
}

}  // namespace kiln::fuzz
