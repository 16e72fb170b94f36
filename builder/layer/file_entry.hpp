#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

enum class EntryType : std::uint8_t {
  file,
  directory,
  symlink,
  hardlink,  // another name of the file `link`
  char_device,
  block_device,
  fifo,
  whiteout,  // `path` of the lower layers is gone
  opaque,    // nothing of the lower layers shows in the folder `path`; stands beside the folder's own entry
};

// One letter for listings and the index: f d l h c b p w o.
char to_letter(EntryType type);

using Xattrs = std::map<std::string, std::string>;

// One name in a layer, or on its way into one.
//
// Invariants (checked by FileIndex and LayerWriter): `path` is canonical, see canonical_entry_path(); "" is the root
// folder and only a directory or opaque marker has it. Fields that a type has no use for are empty or 0.
struct FileEntry {
  std::string path;
  EntryType type = EntryType::file;
  std::uint16_t mode = 0;  // the lower twelve bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  // bytes of a file; of a hard link: of its target, where that is known
  UnixSeconds mtime = 0;   // for unpacking and listing; never part of a key
  std::string link;        // a symlink's text, byte for byte; a hard link's target as a canonical path
  oci::Digest content;     // sha256 of a file's bytes; a hard link carries its target's, where that is known
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  Xattrs xattrs;  // full names ("security.capability") and raw values

  bool is_directory() const noexcept { return type == EntryType::directory; }
  bool operator==(const FileEntry&) const = default;
};

// Throws Error{category} naming `where` for an entry that breaks an invariant. A file's `content` may still be empty.
void check_entry(const FileEntry& entry, std::string_view where, Category category);

// The order of a layer's entries: component by component, bytes compared unsigned, a folder before what it holds
// ("a" < "a/b" < "a-b"), so that every subtree is one run of neighbours.
std::strong_ordering compare_paths(std::string_view a, std::string_view b) noexcept;
// The order of entries: by path; of one path, the opaque marker last.
bool entry_before(const FileEntry& a, const FileEntry& b) noexcept;

// What ".." at the top of a layer or archive does.
enum class AboveTop { refuse, stay };

// The canonical form of a name in a layer: relative, single slashes, no "." component, no slash at the end. Absolute
// names become relative, and ".." takes the component before it away. Error{build} that names `where` for a ".." that
// leads out where that is refused, NUL, a component above 255 or a path above 4096 bytes.
std::string canonical_entry_path(std::string_view name, std::string_view where, AboveTop above = AboveTop::refuse);
bool is_canonical_entry_path(std::string_view path) noexcept;

// "" for a name at the root.
std::string_view parent_path(std::string_view path) noexcept;
std::string_view base_name(std::string_view path) noexcept;
std::string join_path(std::string_view folder, std::string_view name);
// True for the folder itself too; everything is within "".
bool is_within(std::string_view path, std::string_view folder) noexcept;

// How whiteouts look in a tar (OCI image spec, layer.md, "Whiteouts").
inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";
// The extended attribute by which a layer of a stage that is not exported tells a file whose name merely begins with
// the prefix. No other program knows it, so no image may hold such a layer.
inline constexpr std::string_view kOrdinaryNameXattr = "kiln.ordinary-name";
// Of such a layer's blob: the first file in it that is so called.
inline constexpr std::string_view kOrdinaryNameAnnotation = "dev.kiln.layer.ordinary-name";

}  // namespace kiln
