// type=local and type=tar: the merged files of images as one tar stream, written to where it is wanted, or unpacked
// from a pipe into a folder. So both say the same, and what the folder holds besides stays as it is: the stream has no
// whiteouts, unlike the layers.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/tar_encoder.hpp"
#include "builder/layer/unpack.hpp"
#include "builder/solve/exporter.hpp"
#include "builder/steps/archive_file.hpp"
#include "builder/steps/image_source.hpp"

namespace kiln {

namespace {

constexpr std::uint16_t kSetIds = 06000;

FileEntry platform_folder(const std::string& path, UnixSeconds mtime) {
  FileEntry entry;
  entry.path = path;
  entry.type = EntryType::directory;
  entry.mode = 0755;
  entry.mtime = mtime;
  return entry;
}

// The files of all images. Where several share the root (platform-split=false), no path but a folder's may come twice.
class FileStream {
 public:
  // For a folder, whose files belong to who asked for them: `set_ids` counts those that would lend that user's rights.
  FileStream(LayerAccess& access, TarEncoder& tar, std::optional<UnixSeconds> mtime, std::uint64_t* set_ids)
      : access_(access), tar_(tar), mtime_(mtime), set_ids_(set_ids), buffer_(std::size_t{1} << 20, '\0') {}

  void add(const ExportedFiles& files) {
    if (!files.folder.empty()) tar_.header(platform_folder(files.folder, mtime_.value_or(0)));
    const ImageSource source(access_, *files.layers, still_there(access_.view(*files.layers)), "the image", "");
    std::map<std::string, std::string> first_names;  // by the file's identity
    source.walk("", [&](const FileEntry& found) {
      access_.cancel().check();
      if (found.path.empty()) return true;
      FileEntry entry = found;
      entry.path = join_path(files.folder, found.path);
      if (mtime_) entry.mtime = *mtime_;
      const bool is_new = written_.insert(entry.path).second;
      if (!is_new && entry.is_directory()) return true;
      if (!is_new)
        throw Error(Category::build,
                    fmt::format("'/{}' is in the images of several platforms; leave out platform-split=false",
                                printable(entry.path)));
      write(source, found.path, std::move(entry), first_names);
      return true;
    });
  }

 private:
  void write(const ImageSource& source, const std::string& path, FileEntry entry,
             std::map<std::string, std::string>& first_names) {
    if (entry.type == EntryType::file) {
      const std::string identity = source.identity(path);
      const auto [first, is_first] = first_names.emplace(identity, entry.path);
      if (!is_first && !identity.empty()) {
        entry.type = EntryType::hardlink;
        entry.link = first->second;
        entry.size = 0;
      }
    }
    if (set_ids_ != nullptr && entry.type == EntryType::file && (entry.mode & kSetIds) != 0) {
      entry.mode &= static_cast<std::uint16_t>(~kSetIds);
      ++*set_ids_;
    }
    tar_.header(entry);
    if (entry.type != EntryType::file || entry.size == 0) return;
    const auto bytes = source.open(path);
    oci::Sha256 hash;
    std::uint64_t left = entry.size;
    while (const std::size_t got = bytes->read(buffer_.data(), buffer_.size())) {
      if (got > left) refuse_damaged(path);
      const std::string_view piece = std::string_view(buffer_).substr(0, got);
      hash.update(piece);
      tar_.data(piece);
      left -= got;
    }
    if (left > 0 || hash.finish() != entry.content) refuse_damaged(path);
  }

  // The folder that holds the unpacked layer is not what was unpacked into it.
  [[noreturn]] static void refuse_damaged(const std::string& path) {
    throw Error(Category::machine,
                fmt::format("'/{}' of the image has other bytes in the store than its layer says; run 'kiln cache "
                            "verify --repair' and build again",
                            printable(path)));
  }

  LayerAccess& access_;
  TarEncoder& tar_;
  std::optional<UnixSeconds> mtime_;
  std::uint64_t* set_ids_;
  std::string buffer_;
  std::set<std::string> written_;
};

// Runs `write` in a thread of its own, with a pipe whose other end `read` gets. The error of `write` comes first: what
// `read` says then is its consequence. A reader that gives up closes the pipe, which ends the writer.
template <class Write, class Read>
void through_pipe(const Write& write, const Read& read) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create", "a pipe");
  Fd input(ends[0]);
  Fd output(ends[1]);
  std::exception_ptr write_failure;
  std::exception_ptr read_failure;
  bool reader_is_gone = false;
  std::thread writer([&] {
    try {
      write([&](std::string_view bytes) {
        while (!bytes.empty()) {
          const ssize_t count = ::write(output.get(), bytes.data(), bytes.size());
          if (count < 0 && errno == EINTR) continue;
          if (count < 0) {
            reader_is_gone = errno == EPIPE;
            throw_errno("write to", "a pipe");
          }
          bytes.remove_prefix(static_cast<std::size_t>(count));
        }
      });
    } catch (...) {
      write_failure = std::current_exception();
    }
    output.reset();
  });
  try {
    read(input);
  } catch (...) {
    read_failure = std::current_exception();
  }
  input.reset();
  writer.join();
  if (write_failure && !reader_is_gone) std::rethrow_exception(write_failure);
  if (read_failure) std::rethrow_exception(read_failure);
}

}  // namespace

ExportedLess export_files(LayerAccess& access, const std::vector<ExportedFiles>& images, const Output& output,
                          std::optional<UnixSeconds> mtime, int stdout_fd) {
  ExportedLess less;
  const bool is_folder = output.type != OutputType::tar;
  const auto stream = [&](TarEncoder& tar) {
    FileStream files(access, tar, mtime, is_folder ? &less.set_ids : nullptr);
    for (const ExportedFiles& image : images) files.add(image);
    tar.finish();
  };
  if (!is_folder) {
    write_archive_to(output.destination, stdout_fd, stream);
    return less;
  }
  const fs::path folder = output.destination;
  make_directories(folder);
  through_pipe(
      [&](const std::function<void(std::string_view)>& sink) {
        TarEncoder tar(sink);
        stream(tar);
      },
      [&](const Fd& input) {
        // As buildx has it, files belong to who asked for them.
        UnpackOptions options;
        options.to = UnpackTo::plain_tree;
        options.whiteouts = Whiteouts::ordinary;
        options.ownership = false;
        options.devices = false;
        FdSource tar(input, "the image's files");
        less.devices = unpack_tar(tar, "the image's files", folder, {}, options, access.cancel()).devices_left_out;
      });
  return less;
}

}  // namespace kiln
