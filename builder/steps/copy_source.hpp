#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/byte_source.hpp"
#include "builder/layer/file_bytes.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/steps/image_layers.hpp"
#include "builder/steps/material.hpp"

namespace kiln {

// What comes from a context or an archive brings no user.* attributes along, as with BuildKit: they tell of the machine
// that it was on, such as the URL that a browser had a file from.
void drop_user_attributes(FileEntry& entry);

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
  // The entries at and below a path, the contents of their files with them. Error{build} where the files whose contents
  // have to be read for it are too much for their use (FileBytes).
  std::vector<FileEntry> walk_with_digests(std::string_view path, FileUse use) const;
  // Adds the file at `source_path` to a layer as `target`. Its content must still have target.content.
  void add_file(LayerWriter& writer, const FileEntry& target, const std::string& source_path) const;

  // The layers whose files these are, where they are an image's or stage's: a bind mount shows those. Null else.
  virtual const ImageLayers* image_layers() const;

  // What the tree is made of that the build does not make; to be said before a second thread has the source.
  const Materials& materials() const noexcept { return materials_; }
  void add_materials(const Materials& materials) { materials_.insert(materials.begin(), materials.end()); }

  // "the build context", "stage 'builder'": for messages.
  virtual std::string describe() const = 0;
  // Why a path that is missing may be missing: "it is excluded by .dockerignore"; "" where nothing is known.
  virtual std::string why_missing(std::string_view path) const;

 private:
  Materials materials_;
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

// Error{build} for a path that is not there: by which link it led where, and why_missing().
[[noreturn]] void refuse_missing(const CopySource& source, std::string_view path);

// A folder that is in no list of entries: the root, or one that only its contents tell of.
FileEntry implied_directory(std::string_view path);

}  // namespace kiln
