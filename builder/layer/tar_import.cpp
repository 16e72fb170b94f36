#include "builder/layer/tar_import.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <unordered_map>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/link_headers.hpp"
#include "builder/layer/tar_order.hpp"

namespace kiln {

namespace {

// Reads a file by position, so that several readers can share its descriptor.
class ExtentSource : public ByteSource {
 public:
  ExtentSource(const Fd& fd, const std::vector<TarExtent>& extents, std::uint64_t size, const std::string& name)
      : fd_(fd), extents_(extents), size_(size), name_(name) {}

  std::size_t read(void* buffer, std::size_t size) override {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - at_));
    if (size == 0) return 0;
    while (next_ < extents_.size() && at_ >= extents_[next_].file_offset + extents_[next_].bytes) ++next_;
    if (next_ == extents_.size() || at_ < extents_[next_].file_offset) {
      const std::uint64_t end = next_ == extents_.size() ? size_ : extents_[next_].file_offset;
      size = static_cast<std::size_t>(std::min<std::uint64_t>(size, end - at_));
      std::memset(buffer, 0, size);
      at_ += size;
      return size;
    }
    const TarExtent& extent = extents_[next_];
    const std::uint64_t into = at_ - extent.file_offset;
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, extent.bytes - into));
    for (;;) {
      const ssize_t count = ::pread(fd_.get(), buffer, size, static_cast<off_t>(extent.tar_offset + into));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("read", name_);
      at_ += static_cast<std::uint64_t>(count);
      return static_cast<std::size_t>(count);
    }
  }

 private:
  const Fd& fd_;
  const std::vector<TarExtent>& extents_;
  std::uint64_t size_;
  const std::string& name_;
  std::uint64_t at_ = 0;
  std::size_t next_ = 0;
};

// What a hard link is, as another name of `file`, which stands before it.
FileEntry another_name(const FileEntry& file, FileEntry link) {
  FileEntry named = file;
  named.path = std::move(link.path);
  if (TarImport::leads_out(file)) return named;  // both name what that link names
  // A second name of a symlink or device is another one of the same kind.
  if (file.type == EntryType::file || file.type == EntryType::hardlink) {
    named.type = EntryType::hardlink;
    named.link = std::move(link.link);
  }
  return named;
}

}  // namespace

struct TarImport::State {
  Fd tar;
  std::string name;
  std::vector<FileEntry> entries;
  std::vector<std::vector<TarExtent>> extents;  // of the same length

  void list(const Options& options, const CancelToken& cancel);
  void join_links();
};

void TarImport::State::list(const Options& options, const CancelToken& cancel) {
  if (::lseek(tar.get(), 0, SEEK_SET) != 0) throw_errno("seek in", name);
  FdSource source(tar, name);
  TarReader reader(source, name, options.whiteouts, options.limits);
  std::vector<FileEntry> in_tar_order;
  std::vector<std::vector<TarExtent>> tar_extents;
  std::unordered_map<std::string, std::size_t> named;  // everything but folders and marks
  LinkHeaders headers;
  const ByteBuffer buffer(256 << 10);
  while (const FileEntry* next = reader.next()) {
    cancel.check();
    FileEntry entry = *next;
    std::vector<TarExtent> where;
    if (entry.type == EntryType::file) {
      where = reader.extents();
      oci::Sha256 hash;
      while (const std::size_t count = reader.read(buffer.data(), buffer.size())) {
        cancel.check();
        hash.update({buffer.data(), count});
      }
      entry.content = hash.finish();
    } else if (entry.type == EntryType::hardlink) {
      const auto target = named.find(entry.link);
      if (target == named.end() && options.outward == OutwardLinks::refuse) {
        throw Error(Category::build,
                    fmt::format("'{}': '{}' is a hard link to '{}', which is no file before it in the archive",
                                printable(name), printable(entry.path), printable(entry.link)));
      }
      if (target != named.end()) {
        headers.add(in_tar_order, target->second, entry, in_tar_order.size());
        where = tar_extents[target->second];
        entry = another_name(in_tar_order[target->second], std::move(entry));
      }
    }
    if (!entry.is_directory() && entry.type != EntryType::whiteout && entry.type != EntryType::opaque) {
      named[entry.path] = in_tar_order.size();
    }
    in_tar_order.push_back(std::move(entry));
    tar_extents.push_back(std::move(where));
  }
  headers.settle(in_tar_order);
  for (TarEntry& item : settle_tar_entries(std::move(in_tar_order), name)) {
    entries.push_back(std::move(item.entry));
    extents.push_back(item.number == SIZE_MAX ? std::vector<TarExtent>() : std::move(tar_extents[item.number]));
  }
  join_links();
}

// Makes the first name of each file, in entry order, the file and the others links to it.
void TarImport::State::join_links() {
  std::unordered_map<std::string, std::size_t> numbers;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].type == EntryType::file || entries[i].type == EntryType::hardlink) numbers[entries[i].path] = i;
  }
  const auto file_of = [&](std::size_t number) {
    // Links of links end at a file, since each names an entry that came before it in the tar.
    while (entries[number].type == EntryType::hardlink) number = numbers.at(entries[number].link);
    return number;
  };
  std::map<std::size_t, std::vector<std::size_t>> names;  // by their file; only where there are several
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].type == EntryType::hardlink && !leads_out(entries[i])) names[file_of(i)].push_back(i);
  }
  for (auto& [file, links] : names) {
    links.push_back(file);
    std::sort(links.begin(), links.end());
    const std::size_t first = links.front();
    for (const std::size_t number : links) {
      FileEntry& entry = entries[number];
      entry.type = number == first ? EntryType::file : EntryType::hardlink;
      entry.link = number == first ? std::string() : entries[first].path;
    }
  }
}

TarImport::TarImport(Fd tar, std::string name, const Options& options, const CancelToken& cancel)
    : state_(std::make_unique<State>()) {
  state_->tar = std::move(tar);
  state_->name = std::move(name);
  state_->list(options, cancel);
}
TarImport::TarImport(TarImport&&) noexcept = default;
TarImport& TarImport::operator=(TarImport&&) noexcept = default;
TarImport::~TarImport() = default;

const std::vector<FileEntry>& TarImport::entries() const { return state_->entries; }

void TarImport::change_entries(const std::function<void(FileEntry&)>& change) {
  for (FileEntry& entry : state_->entries) change(entry);
}

std::unique_ptr<ByteSource> TarImport::open(std::size_t number) const {
  return std::make_unique<ExtentSource>(state_->tar, state_->extents.at(number), state_->entries.at(number).size,
                                        state_->name);
}

void TarImport::add_to(LayerWriter& writer, std::size_t number, const FileEntry& entry) const {
  if (entry.type != EntryType::file) {
    writer.add(entry);
    return;
  }
  const auto source = open(number);
  writer.add(entry, *source, join_path(state_->name, state_->entries.at(number).path));
}

Fd spool_to_file(ByteSource& source, const fs::path& folder, std::uint64_t max_bytes, std::string_view name) {
  Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string path = (folder / "spool-XXXXXX").native();
    file = Fd(::mkostemp(path.data(), O_CLOEXEC));
    if (file) ::unlink(path.c_str());
  }
  if (!file) throw_errno("create a temporary file in", folder.native());
  std::string buffer(1 << 20, '\0');
  std::uint64_t total = 0;
  while (const std::size_t count = source.read(buffer.data(), buffer.size())) {
    total += count;
    if (total > max_bytes) throw Error(Category::build, fmt::format("'{}' is larger than {} bytes", name, max_bytes));
    write_all(file, {buffer.data(), count}, name);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("seek in", name);
  return file;
}

}  // namespace kiln
