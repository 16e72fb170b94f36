#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/work_ahead.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/layer/living_files.hpp"
#include "builder/layer/stat_cache.hpp"
#include "builder/layer/tree_scanner.hpp"
#include "builder/steps/image_layers.hpp"

namespace kiln {

// A tree that COPY, ADD or a bind mount takes files from. Paths are canonical; "" is the root. Any thread.
class CopySource {
 public:
  virtual ~CopySource() = default;

  // Says that these source patterns of COPY will be asked for: what takes time to list and to hash is listed and hashed
  // in the background, in their order. What fails then fails again when asked.
  virtual void read_ahead(const std::vector<std::string>& patterns) const;

  // What stands at a path as it is spelt; a hard link shows as the file it is a name of.
  virtual std::optional<FileEntry> lookup(std::string_view path) const = 0;
  // The path with symlinks followed inside the tree, the last component too; Error{build} for a loop.
  virtual std::string resolve(std::string_view path) const = 0;
  // The entries at and below a path in entry order; `visit` returns false to keep out of a folder.
  virtual void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const = 0;

  // Fills in the content digests of files that have none yet, and the sizes that belong to them. The digest of a file
  // that is gone since it was listed stays empty.
  virtual void digest(std::vector<FileEntry*>& files) const = 0;
  // The bytes of the file at a path.
  virtual std::unique_ptr<ByteSource> open(const std::string& path) const = 0;
  // What tells names of one file (hard links) from files that are merely equal: the same text for the same file. Empty
  // where no path has another name.
  virtual std::string identity(std::string_view path) const;
  // Brings here what open() will need, for files that are going to be opened; nullopt where all is there.
  virtual std::optional<Blocked> bring() const;
  // Adds the file at `source_path` to a layer as `target`. Its content must still have target.content.
  void add_file(LayerWriter& writer, const FileEntry& target, const std::string& source_path) const;

  // "the build context", "stage 'builder'": for messages.
  virtual std::string describe() const = 0;
  // Why a path that is missing may be missing: "it is excluded by .dockerignore"; "" where nothing is known.
  virtual std::string why_missing(std::string_view path) const;
};

// How files of a build context are taken.
enum class ContextModes {
  as_on_disk,  // docker: the modes of the files
  as_in_git,   // 0755 for folders and what its owner may execute, else 0644: a checkout's umask changes nothing
};

// A folder on disk, filtered by its .dockerignore, that people and programs go on working in. Listed once, when first
// asked; contents are hashed when needed or ahead of it. A folder that may not be read is an error where something in
// it is asked for.
class ContextSource : public CopySource {
 public:
  ContextSource(fs::path root, dockerfile::IgnoreMatcher ignore, ContextModes modes, StatCache* stat_cache,
                ThreadPool& pool, CancelToken cancel, std::string description = "the build context",
                LivingFiles::Writers writers = LivingFiles::Writers::others);

  void read_ahead(const std::vector<std::string>& patterns) const override;
  std::optional<FileEntry> lookup(std::string_view path) const override;
  std::string resolve(std::string_view path) const override;
  void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const override;
  void digest(std::vector<FileEntry*>& files) const override;
  std::unique_ptr<ByteSource> open(const std::string& path) const override;
  std::string identity(std::string_view path) const override;
  std::string describe() const override { return description_; }
  std::string why_missing(std::string_view path) const override;

  const fs::path& root() const noexcept { return root_; }

 private:
  const ScannedTree& tree() const;
  std::size_t find(std::string_view path) const;  // npos where there is none
  std::vector<LivingFiles::Content> hashed(std::span<const std::size_t> numbers) const;
  void refuse_below_unreadable(std::string_view path) const;
  void hash_ahead(const std::string& pattern) const;

  fs::path root_;
  dockerfile::IgnoreMatcher ignore_;
  ContextModes modes_;
  StatCache* stat_cache_;
  ThreadPool& pool_;
  CancelToken cancel_;
  std::string description_;
  LivingFiles::Writers writers_;
  mutable std::mutex mutex_;
  mutable std::optional<ScannedTree> tree_;         // never changed once it is there
  mutable std::optional<LivingFiles> files_;        // so are these
  mutable std::atomic<std::size_t> last_found_{0};  // where find() looks first
  mutable std::mutex hash_mutex_;                   // one batch at a time
  mutable std::atomic<int> asking_{0};              // who waits for digests: reading ahead lets them go first
  mutable WorkAhead ahead_{1};                      // the last member: it ends before the others do
};

// The files of an image or stage, as its layers' indexes tell; only a file that is really copied needs the layers on
// disk.
class ImageSource : public CopySource {
 public:
  // `view` is the layers'; `step` is the text of the instruction that reads it.
  ImageSource(LayerAccess& access, ImageLayers layers, MergedView view, std::string description, std::string step);

  std::optional<FileEntry> lookup(std::string_view path) const override;
  std::string resolve(std::string_view path) const override;
  void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const override;
  void digest(std::vector<FileEntry*>& files) const override;
  std::unique_ptr<ByteSource> open(const std::string& path) const override;
  std::string identity(std::string_view path) const override;
  std::optional<Blocked> bring() const override;
  std::string describe() const override { return description_; }

  const ImageLayers& layers() const noexcept { return layers_; }

 private:
  LayerAccess& access_;
  ImageLayers layers_;
  MergedView view_;
  std::string description_;
  std::string step_;
  mutable std::mutex mutex_;
  mutable std::optional<SnapshotChain> folders_;
};

// Files given in memory, all of one mode: heredocs; or none at all, where a build has no context.
class InlineSource : public CopySource {
 public:
  explicit InlineSource(std::map<std::string, std::string> files, std::uint16_t mode = 0644,
                        std::string description = "a heredoc");

  std::optional<FileEntry> lookup(std::string_view path) const override;
  std::string resolve(std::string_view path) const override;
  void walk(std::string_view path, const std::function<bool(const FileEntry&)>& visit) const override;
  void digest(std::vector<FileEntry*>& files) const override;
  std::unique_ptr<ByteSource> open(const std::string& path) const override;
  std::string describe() const override { return description_; }

 private:
  std::map<std::string, std::string> files_;
  std::uint16_t mode_;
  std::string description_;
};

}  // namespace kiln
