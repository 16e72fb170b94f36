#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/living_files.hpp"
#include "registry/store/content_store.hpp"
#include "tests/support/add_file.hpp"

namespace kiln::test {

// A store of its own with a small pool.
struct Workshop {
  TempDir dir;
  ThreadPool pool{2};
  ContentStore store{HomeLayout::open(dir.path() / "home")};

  fs::path path(std::string_view name) const { return dir.path() / name; }
};

inline FileEntry entry_of(std::string path, EntryType type, unsigned mode = 0644) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  if (type != EntryType::whiteout && type != EntryType::opaque) entry.mode = static_cast<std::uint16_t>(mode);
  return entry;
}
inline FileEntry folder_of(std::string path, unsigned mode = 0755) {
  return entry_of(std::move(path), EntryType::directory, mode);
}
inline FileEntry link_of(std::string path, std::string target, EntryType type = EntryType::symlink) {
  FileEntry entry = entry_of(std::move(path), type, type == EntryType::symlink ? 0777 : 0644);
  entry.link = std::move(target);
  return entry;
}
// A file with its content's digest and size, as an index has it.
inline FileEntry file_of(std::string path, std::string_view text, unsigned mode = 0644) {
  FileEntry entry = entry_of(std::move(path), EntryType::file, mode);
  entry.size = text.size();
  entry.content = oci::sha256_of(text);
  return entry;
}

inline std::shared_ptr<const FileIndex> index_of(std::vector<FileEntry> entries,
                                                 std::map<std::string, std::string> kept = {}) {
  FileIndex::Parts parts;
  parts.diff_id = oci::sha256_of("a layer");
  parts.entries = std::move(entries);
  parts.kept = std::move(kept);
  return std::make_shared<const FileIndex>(std::move(parts));
}

inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

// Fills in the contents of a tree's files, and what its hard links show of them.
inline void hash_files(const fs::path& root, ScannedTree& tree, StatCache* cache, ThreadPool& pool) {
  LivingFiles files(root, tree, {pool, {}, cache});
  std::vector<std::size_t> numbers(tree.entries.size());
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  const std::vector<LivingFiles::Content> contents = files.read(numbers);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (tree.entries[i].type == EntryType::file) tree.entries[i].content = contents[i].digest;
  }
  for (FileEntry& link : tree.entries) {
    if (link.type != EntryType::hardlink) continue;
    const auto target = std::find_if(tree.entries.begin(), tree.entries.end(),
                                     [&](const FileEntry& entry) { return entry.path == link.link; });
    link.content = target->content;
    link.size = target->size;
  }
}

// What a program prints; the test fails where it does not end well.
inline std::string output_of(std::vector<std::string> argv, std::string stdin_bytes = {}) {
  Command command;
  command.argv = std::move(argv);
  command.stdin_bytes = std::move(stdin_bytes);
  const CommandResult result = run_command(command, CancelToken{});
  INFO(result.stderr_bytes);
  REQUIRE(result.exit_code == 0);
  return result.stdout_bytes;
}

// Bytes that look like code: they shrink, but not to nothing. The same for the same seed, on every machine.
inline std::string varied_bytes(std::size_t size, std::uint32_t seed) {
  std::string bytes;
  bytes.reserve(size);
  std::uint32_t state = seed * 2654435761u + 1;
  while (bytes.size() < size) {
    state = state * 1664525u + 1013904223u;
    bytes += static_cast<char>((state >> 24) & 0x3f);
    if ((state >> 16) % 7 == 0) bytes += "the quick brown fox";
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace kiln::test
