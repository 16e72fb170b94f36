#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "builder/layer/merged_view.hpp"

namespace kiln {

// Which package each file of an image belongs to. A file belongs to the first that claims it, so packages of the system
// claim before those of languages: Debian's python3-idna owns what the distribution idna lists too. Packages are
// numbers. Borrows the view. For one thread at a time.
class FileOwners {
 public:
  explicit FileOwners(const MergedView& view);
  // The same of the files of the top layer alone; links on the way to them are those of all layers.
  static FileOwners of_top_layer(const MergedView& view);

  // `path` as a database has it, from `folder` where it is relative: symlinks on the way are followed (/lib is
  // usr/lib), the last component is not. What is not there is no claim.
  void claim(std::string_view folder, std::string_view path, std::size_t package);
  // All files at and below a folder, but for what is in `except`, a folder in it (empty: none).
  void claim_below(std::string_view folder, std::string_view except, std::size_t package);
  // Python's bytecode that no package claimed goes to the owner of its source: installers other than pip leave it out
  // of RECORD.
  void claim_bytecode();

  std::optional<std::size_t> owner_of(std::string_view path) const;

  // Of what is seen of a layer; nullopt where a higher one hides it.
  std::optional<std::size_t> owner_of(std::string_view path, std::size_t layer) const;

  // Of a file, as tar has it: header and padding included.
  static std::uint64_t tar_bytes(const FileEntry& entry);

 private:
  struct TopLayer {};
  FileOwners(const MergedView& view, TopLayer);
  void add_file(const FileEntry& entry, std::size_t layer);
  void number_files();
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct File {
    std::string_view path;  // the index's
    std::size_t layer = 0;
    std::size_t owner = kNone;
  };
  const std::string* real_folder(const std::string& folder);
  std::size_t lower_bound(std::string_view path) const;

  const MergedView& view_;
  std::vector<File> files_;                                              // in entry order
  std::unordered_map<std::string_view, std::size_t> numbers_;            // by path
  std::unordered_map<std::string, std::optional<std::string>> folders_;  // with symlinks followed
};

}  // namespace kiln
