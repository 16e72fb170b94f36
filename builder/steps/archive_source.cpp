#include "builder/steps/archive_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.hpp"
#include "builder/layer/compression.hpp"
#include "builder/layer/layer_reader.hpp"

namespace kiln {

namespace {

constexpr std::size_t kHeaderBytes = 512;

// The checksum counts its own field as spaces (POSIX ustar); a block that has it right begins a tar.
bool is_tar_header(std::string_view header) {
  if (header.size() != kHeaderBytes) return false;
  unsigned sum = 0;
  for (int i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  unsigned stated = 0;
  for (int i = 148; i < 156; ++i) {
    if (header[i] >= '0' && header[i] <= '7') stated = stated * 8 + static_cast<unsigned>(header[i] - '0');
  }
  return stated == sum && sum != 8 * ' ';
}

// A stream whose first bytes were looked at. Where its data is damaged it ends, and keeps the error for later: a tar
// may have come to its end before.
class LenientSource : public ByteSource {
 public:
  LenientSource(std::string head, ByteSource& rest) : head_(std::move(head)), rest_(rest) {}
  std::size_t read(void* buffer, std::size_t size) override {
    if (done_ < head_.size()) {
      const std::size_t count = head_.copy(static_cast<char*>(buffer), size, done_);
      done_ += count;
      return count;
    }
    if (damage_) return 0;
    try {
      return rest_.read(buffer, size);
    } catch (const Error& error) {
      if (error.category() != Category::build) throw;
      damage_ = error;
      return 0;
    }
  }
  const std::optional<Error>& damage() const { return damage_; }

 private:
  std::string head_;
  std::size_t done_ = 0;
  ByteSource& rest_;
  std::optional<Error> damage_;
};

// A file with a block behind it that is no header: a tar that has come to its end before does not look at it.
class UntilNonsense : public ByteSource {
 public:
  explicit UntilNonsense(ByteSource& file) : file_(file) {}
  std::size_t read(void* buffer, std::size_t size) override {
    const std::size_t count = file_.read(buffer, size);
    if (count > 0) return count;
    const std::size_t more = nonsense_.copy(static_cast<char*>(buffer), size);
    nonsense_.erase(0, more);
    return more;
  }

 private:
  ByteSource& file_;
  std::string nonsense_ = std::string(kHeaderBytes, 'x');
};

bool is_whole_tar(const Fd& file, const std::string& name) {
  FdSource bytes(file, name);
  UntilNonsense longer(bytes);
  TarReader reader(longer, name, Whiteouts::ordinary);
  try {
    while (reader.next() != nullptr) {
    }
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace

ArchiveSource::ArchiveSource(TarImport import, std::string description)
    : import_(std::move(import)), description_(std::move(description)) {
  import_.change_entries([](FileEntry& entry) {
    drop_user_attributes(entry);
    if (entry.type == EntryType::symlink) entry.mode = 0777;  // what Linux makes of it wherever it is unpacked
  });
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

std::optional<Fd> spool_archive(std::unique_ptr<ByteSource> bytes, const fs::path& work, const std::string& name,
                                std::uint64_t max_bytes) {
  std::unique_ptr<ByteSource> plain;
  std::string head(kHeaderBytes, '\0');
  try {
    plain = decompress_any(std::move(bytes), name);
    head.resize(read_fully(*plain, head.data(), head.size()));
  } catch (const TooMuchMemory&) {
    throw;
  } catch (const Error& error) {
    if (error.category() != Category::build) throw;
    return std::nullopt;  // compressed, it seemed, and then not: a file like any other
  }
  if (!is_tar_header(head)) return std::nullopt;
  LenientSource lenient(std::move(head), *plain);
  Fd spooled = spool_to_file(lenient, work, max_bytes, name);
  if (lenient.damage()) {
    if (!is_whole_tar(spooled, name)) throw Error(*lenient.damage());
    if (::lseek(spooled.get(), 0, SEEK_SET) != 0) throw_errno("seek in", name);
  }
  return spooled;
}

std::shared_ptr<ArchiveSource> open_archive(std::unique_ptr<ByteSource> bytes, const fs::path& work,
                                            const std::string& name, const CancelToken& cancel) {
  auto spooled = spool_archive(std::move(bytes), work, name);
  if (!spooled) return nullptr;
  TarImport import(std::move(*spooled), name, {Whiteouts::ordinary, {}, TarImport::OutwardLinks::keep}, cancel);
  return std::make_shared<ArchiveSource>(std::move(import), "archive '" + name + "'");
}

}  // namespace kiln
