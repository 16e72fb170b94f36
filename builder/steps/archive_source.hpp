#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "builder/layer/tar_import.hpp"
#include "builder/steps/copy_source.hpp"

namespace kiln {

// The contents of an archive that ADD unpacks. Among its entries may be hard links that lead out of it.
class ArchiveSource : public CopySource {
 public:
  ArchiveSource(TarImport import, std::string description);

  std::optional<FileEntry> lookup(std::string_view path) const override;
  std::string resolve(std::string_view path) const override { return std::string(path); }
  void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const override;
  void digest(std::vector<FileEntry*>& files) const override;
  std::unique_ptr<ByteSource> open(const std::string& path) const override;
  std::string identity(std::string_view path) const override;
  std::string describe() const override { return description_; }

  const std::vector<FileEntry>& entries() const { return import_.entries(); }

 private:
  TarImport import_;
  std::string description_;
  std::map<std::string, std::size_t, std::less<>> numbers_;
};

// The plain tar in an archive, spooled to an unnamed file in `work`; nullopt where the bytes do not begin a tar, plain
// or compressed. As with docker, what is damaged behind the tar's end does not matter; before it is Error{build}, and
// so is a tar of more than `max_bytes`.
inline constexpr std::uint64_t kMaxArchiveBytes = std::uint64_t{64} << 30;
std::optional<Fd> spool_archive(std::unique_ptr<ByteSource> bytes, const fs::path& work, const std::string& name,
                                std::uint64_t max_bytes = kMaxArchiveBytes);

// Opens a file as an archive (tar, plain or compressed by gzip, bzip2, xz or zstd); nullptr where it is none. Spooled
// to an unnamed file in `work`.
std::shared_ptr<ArchiveSource> open_archive(std::unique_ptr<ByteSource> bytes, const fs::path& work,
                                            const std::string& name, const CancelToken& cancel);

}  // namespace kiln
