#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::tar {

inline constexpr std::size_t kBlock = 512;
using Block = std::array<char, kBlock>;

// One header block (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format") with its fields
// read as far as all formats share them.
struct Header {
  enum class Format { v7, ustar, star, gnu };
  Format format = Format::v7;
  char type = '0';
  std::string name;  // with the prefix
  std::string link;
  std::uint32_t mode = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t size = 0;
  std::int64_t mtime = 0;
  std::int64_t device_major = 0;
  std::int64_t device_minor = 0;
};

bool is_zero(const Block& block) noexcept;

// nullopt where the checksum is wrong or a number is none.
std::optional<Header> parse_header(const Block& block);

// A number field: octal digits, or base-256 with the first bit set. nullopt for what is neither.
std::optional<std::int64_t> parse_number(std::string_view field);

// The keys of extended attributes, before their names: of the one kind names and values stand as they are, of the other
// the name is percent-encoded and the value in base64.
inline constexpr std::string_view kSchilyXattr = "SCHILY.xattr.";
inline constexpr std::string_view kLibarchiveXattr = "LIBARCHIVE.xattr.";

// Takes the first record off `text`, "LENGTH KEY=VALUE\n" (POSIX.1-2017, pax); nullopt where it does not begin with
// one.
struct PaxRecord {
  std::string_view key;
  std::string_view value;
};
std::optional<PaxRecord> take_pax_record(std::string_view& text);

// The records of a pax header. The later of two of one key counts; GNU.sparse.offset and .numbytes, of which version
// 0.0 has many, are gathered in `sparse` in their order.
struct PaxRecords {
  std::map<std::string, std::string> values;
  std::vector<std::uint64_t> sparse;
  bool has_sparse_pairs = false;
};
// False where the text is not a sequence of records.
bool parse_pax(std::string_view text, PaxRecords& records);

// Seconds, rounded down; nullopt for what is no pax time.
std::optional<std::int64_t> parse_pax_time(std::string_view text);
// The time, or the nearest one that kiln's headers can say: libarchive's number field has room for no more than 2^55.
std::int64_t nearest_time(std::int64_t seconds);

// One run of data of a sparse file.
struct Segment {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};
// The (offset, bytes) pairs of a GNU sparse block from `at`, up to `count` of them, ending at the first empty one.
// False where a number is none.
bool parse_sparse_pairs(const Block& block, std::size_t at, std::size_t count, std::vector<Segment>& segments);

}  // namespace kiln::tar
