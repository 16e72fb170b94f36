#include "builder/steps/archive_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.hpp"
#include "builder/layer/compression.hpp"
#include "builder/layer/layer_reader.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxArchiveBytes = std::uint64_t{64} << 30;

bool begins_with_tar_header(const Fd& file) {
  char header[512];
  const ssize_t got = ::pread(file.get(), header, sizeof header, 0);
  if (got != static_cast<ssize_t>(sizeof header)) return false;
  // The checksum counts its own field as spaces (POSIX ustar); a file that has it right is a tar.
  unsigned sum = 0;
  for (int i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  unsigned stated = 0;
  for (int i = 148; i < 156; ++i) {
    if (header[i] >= '0' && header[i] <= '7') stated = stated * 8 + static_cast<unsigned>(header[i] - '0');
  }
  return stated == sum && sum != 8 * ' ';
}

}  // namespace

ArchiveSource::ArchiveSource(TarImport import, std::string description)
    : import_(std::move(import)), description_(std::move(description)) {
  for (std::size_t i = 0; i < import_.entries().size(); ++i) numbers_[import_.entries()[i].path] = i;
}

std::optional<FileEntry> ArchiveSource::lookup(std::string_view path) const {
  const auto it = numbers_.find(path);
  return it == numbers_.end() ? std::nullopt : std::optional(import_.entries()[it->second]);
}

void ArchiveSource::walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const {
  for (const FileEntry& entry : import_.entries()) {
    if (is_within(entry.path, path)) visit(entry);
  }
}

void ArchiveSource::digest(std::vector<FileEntry*>&) const {
  // The import hashed every file.
}

std::unique_ptr<ByteSource> ArchiveSource::open(const std::string& path) const {
  const auto it = numbers_.find(path);
  if (it == numbers_.end()) throw Error(Category::build, fmt::format("'{}' is not in {}", path, description_));
  return import_.open(it->second);
}

std::string ArchiveSource::identity(std::string_view path) const {
  const auto entry = lookup(path);
  return entry && entry->type == EntryType::hardlink ? entry->link : std::string(path);
}

std::optional<Fd> spool_archive(std::unique_ptr<ByteSource> bytes, const fs::path& work, const std::string& name) {
  try {
    const auto plain = decompress_any(std::move(bytes), name);
    Fd spooled = spool_to_file(*plain, work, kMaxArchiveBytes, name);
    if (!begins_with_tar_header(spooled)) return std::nullopt;
    return spooled;
  } catch (const Error& error) {
    if (error.category() != Category::build) throw;
    return std::nullopt;  // compressed, it seemed, and then not: a file like any other
  }
}

std::shared_ptr<ArchiveSource> open_archive(std::unique_ptr<ByteSource> bytes, const fs::path& work,
                                            const std::string& name, const CancelToken& cancel) {
  auto spooled = spool_archive(std::move(bytes), work, name);
  if (!spooled) return nullptr;
  return std::make_shared<ArchiveSource>(TarImport(std::move(*spooled), name, Whiteouts::ordinary, cancel),
                                         "archive '" + name + "'");
}

}  // namespace kiln
