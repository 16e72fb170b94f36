#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/steps/copy_source.hpp"

namespace kiln {

struct Ownership {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// The bits that --chmod sets: octal, or symbolic as chmod(1) takes it.
using ChangeMode = std::function<std::uint16_t(std::uint16_t mode, bool is_directory)>;
// Error{usage} for what is neither.
ChangeMode parse_chmod(std::string_view text);
// The mode of an octal --chmod.
std::optional<std::uint16_t> octal_chmod(std::string_view text);

struct CopyOptions {
  std::optional<Ownership> owner;         // --chown; else context files are root's, and files of images keep theirs
  std::optional<ChangeMode> change_mode;  // --chmod, of what is copied
  std::uint16_t made_directory_mode =
      0755;                           // of folders made on the way: an octal --chmod's permissions, no symbolic one
  std::vector<std::string> excludes;  // --exclude
  bool parents = false;               // --parents
  bool link = false;                  // --link: the target is a place in an empty tree
  bool allow_missing_wildcard = true;
};

// One COPY or ADD on the way to its layer: which entries it writes into the image below, decided as BuildKit decides it
// (parents made 0755, contents of folders rather than folders, symlinks of the target followed, folders and files not
// replaced by one another), without reading or writing a file. Its entries make the step's key.
class CopyPlan {
 public:
  CopyPlan(MergedView target, CopyOptions options);

  // `pattern` is a source path with docker's wildcards; `destination` is absolute, and ends in '/' where it must be a
  // folder. Error{build} where nothing is there or the target is in the way.
  void add(const CopySource& source, std::string_view pattern, std::string_view destination);
  // The same for one path as it stands: '*', '?' and '[' are characters of names.
  void add_path(const CopySource& source, const std::string& match, std::string_view destination);
  // The folder that an archive is unpacked into, made where it is missing; without symlinks.
  std::string unpack_folder(std::string_view destination);
  // One entry of an archive, its parents made as needed, and root's. As in tar it takes the place of whatever is there;
  // only a folder stays one. --chmod is nothing to an archive, in which every file says its own mode.
  void add_entry(const CopySource& source, const FileEntry& entry, const std::string& source_path);
  // One entry of an archive that is a hard link to what is at `named` beforehand: in the plan, or in `image`, whose
  // files the target's are. As link(2) on the image has it: both are names of one file then, with the link's mode,
  // owner and time. A symlink or device becomes another one. Error{build} where nothing is there, or a folder.
  void add_link(const CopySource& image, const FileEntry& link, const std::string& named);
  // Makes a folder and its missing parents, as WORKDIR does. No owner: root's, or of the group that the folder above
  // hands on.
  void make_directory(std::string_view path, std::optional<Ownership> owner);

  struct Planned {
    FileEntry entry;
    const CopySource* source = nullptr;  // of a file with content
    std::string source_path;
    std::string file;       // equal for names of one file that were copied together; empty: it has no other name
    bool is_named = false;  // by the instruction itself, so that it may not vanish
  };
  // Hashes what has no digest yet and returns all entries in entry order, each with its parents. Nothing may be added
  // after.
  const std::vector<Planned>& finish();
  // The same entries, once finished.
  const std::vector<Planned>& entries() const noexcept { return finished_; }

  // What its author should know about a plan that is none the less carried out.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

  // What it is planned on.
  const MergedView& target() const noexcept { return target_; }

 private:
  struct Order {
    bool operator()(const std::string& a, const std::string& b) const { return compare_paths(a, b) < 0; }
  };
  std::optional<FileEntry> at(std::string_view path) const;
  bool is_new_in_target(std::string_view folder) const;
  std::string resolve_target(std::string_view path, bool follow_last) const;
  std::string place_of_entry(const std::string& path);
  void ensure_directories(const std::string& path);
  void put(FileEntry entry, const CopySource* source, std::string source_path, std::string file = {});
  void forget_below(const std::string& path);
  void link_names_of_one_file();
  void hash_unhashed();
  void copy_tree(const CopySource& source, const std::string& from, const std::string& to, const std::string& shown);
  static std::vector<std::string> pivots(const CopySource& source, const std::string& pattern);
  void add_with_parents(const CopySource& source, std::string_view pattern, std::string_view destination);
  // False where nothing matched.
  bool add_below_pivot(const CopySource& source, const std::string& pivot, const std::string& wanted,
                       const std::string& folder);
  void copy_with_parents(const CopySource& source, const std::string& path, const std::string& pivot,
                         const std::string& destination);
  void apply_owner(FileEntry& entry) const;
  void apply_options(FileEntry& entry) const;
  void ensure_directories(const std::string& path, std::uint16_t mode, const std::optional<Ownership>& owner);

  MergedView target_;
  CopyOptions options_;
  Planned& place(const std::string& path);

  std::map<std::string, Planned, Order> entries_;
  // The last answers of is_new_in_target().
  mutable std::optional<std::string> new_folder_;
  mutable std::optional<std::string> old_folder_;
  bool is_named_ = true;
  int transfers_ = 0;  // hard links are kept within one: a source, or one match of its wildcards
  std::vector<Planned> finished_;
  std::vector<std::string> notes_;
};

// The source paths that a pattern with wildcards names, in entry order; a plain path names itself. Error{build} where a
// plain path, or the folder before the first wildcard, is not there.
std::vector<std::string> match_sources(const CopySource& source, std::string_view pattern);

}  // namespace kiln
