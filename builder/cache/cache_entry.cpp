#include "builder/cache/cache_entry.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"

namespace kiln {

namespace {

constexpr std::string_view kFirstLine = "kiln cache entry 1";
constexpr std::uint64_t kMostBlobs = 100'000;

// Takes an entry apart line by line.
class Lines {
 public:
  Lines(std::string_view text, std::string_view where) : rest_(text), where_(where) {}

  std::string_view next() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) fail("it is truncated");
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }
  std::string_view rest() const { return rest_; }
  [[noreturn]] void fail(std::string_view problem) const {
    throw Error(Category::network, fmt::format("{}: {}", where_, problem));
  }

 private:
  std::string_view rest_;
  std::string_view where_;
};

oci::Descriptor parse_blob(Lines& lines) {
  const auto fields = split(lines.next(), ' ');
  oci::Descriptor blob;
  const auto size = fields.size() == 3 ? parse_unsigned(fields[1]) : std::nullopt;
  if (!size || !oci::Digest::is_valid(fields[0])) lines.fail("a line of a blob is damaged");
  blob.digest = oci::Digest::parse(fields[0]);
  blob.size = *size;
  blob.media_type = std::string(fields[2]);
  return blob;
}

}  // namespace

std::string serialise(const CacheEntry& entry) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\nblobs {}\n", kFirstLine, entry.key, entry.media_type,
                                 oci::sha256_of(entry.content).str(), entry.signature, entry.blobs.size());
  for (const oci::Descriptor& blob : entry.blobs)
    text += fmt::format("{} {} {}\n", blob.digest.str(), blob.size, blob.media_type);
  return text + entry.content;
}

CacheEntry parse_entry(std::string_view text, std::string_view key, std::string_view where) {
  Lines lines(text, where);
  if (lines.next() != kFirstLine) lines.fail("it is no cache entry of version 1");
  CacheEntry entry;
  entry.key = std::string(lines.next());
  if (entry.key != key)
    lines.fail(fmt::format("it is the entry of key '{}', expected '{}'", printable(entry.key), key));
  entry.media_type = std::string(lines.next());
  const std::string digest(lines.next());
  entry.signature = std::string(lines.next());
  const std::string_view count_line = lines.next();
  const auto count = count_line.starts_with("blobs ") ? parse_unsigned(count_line.substr(6)) : std::nullopt;
  if (!count || *count > kMostBlobs) lines.fail("its list of blobs is damaged");
  for (std::uint64_t i = 0; i < *count; ++i) entry.blobs.push_back(parse_blob(lines));
  entry.content = std::string(lines.rest());
  if (entry.content.size() > kMaxEntryBytes) lines.fail("it is too large");
  if (const std::string actual = oci::sha256_of(entry.content).str(); actual != digest) {
    lines.fail(fmt::format("its content has the digest '{}', expected '{}'", actual, printable(digest)));
  }
  return entry;
}

}  // namespace kiln
