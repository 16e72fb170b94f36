#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"

namespace kiln {

namespace fs = std::filesystem;

// All functions throw Error{machine} that names the path; all descriptors are O_CLOEXEC.

Fd open_read(const fs::path& path);
Fd create_file(const fs::path& path, unsigned mode = 0644);  // O_CREAT | O_TRUNC | O_WRONLY
Fd open_directory(const fs::path& path);

// Reads at most `size` bytes at the file's offset; 0 only at its end. Retries EINTR.
std::size_t read_some(const Fd& fd, void* buffer, std::size_t size, std::string_view name);
void write_all(const Fd& fd, std::string_view bytes, std::string_view name);
void pwrite_all(const Fd& fd, std::string_view bytes, std::uint64_t offset, std::string_view name);

// The whole file; Error{machine} if it is larger than `max_bytes`.
std::string read_file(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);
// The same of a file that words of a command, a setting or a definition name: Error{usage}, whatever keeps it from
// being read.
std::string read_named_file(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);
// As read_file(), and nullopt where there is no such file.
std::optional<std::string> read_file_if_exists(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);
// A file of kiln's own that can be made again, and whose damage is as good as its absence: nullopt also where it is
// larger than `max_bytes`, which kiln never writes.
std::optional<std::string> read_note(const fs::path& path, std::uint64_t max_bytes);

void make_directories(const fs::path& path);
// The names in a folder, sorted; without "." and "..".
std::vector<std::string> list_directory(const fs::path& path);

// fsync of a folder, so that the names in it survive a crash.
void sync_directory(const fs::path& path);

// Removes a tree without following links. Folders whose mode forbids it are opened up first.
void remove_tree(const fs::path& path);

}  // namespace kiln
