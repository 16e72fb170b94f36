#include "builder/cache/chunk_list.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "builder/cache/record_sum.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxListBytes = std::size_t{4} << 20;

[[noreturn]] void refuse(std::string_view where, std::string_view why) {
  throw Error(Category::network, fmt::format("{}: {}", where, why));
}

oci::Digest digest_of(const json& value, std::string_view where) {
  if (!value.is_string() || !oci::Digest::is_valid(value.get_ref<const std::string&>()))
    refuse(where, "it holds what is no digest");
  return oci::Digest::parse(value.get_ref<const std::string&>());
}

std::uint64_t number_of(const json& value, std::string_view where) {
  if (!value.is_number_unsigned()) refuse(where, "it holds what is no size");
  return value.get<std::uint64_t>();
}

const json& member(const json& object, const char* key, std::string_view where) {
  const auto it = object.find(key);
  if (it == object.end()) refuse(where, fmt::format("'{}' is missing", key));
  return *it;
}

}  // namespace

std::string serialise(const ChunkList& list) {
  json chunks = json::array();
  for (const ChunkList::Chunk& chunk : list.chunks) chunks.push_back({chunk.digest.str(), chunk.bytes});
  return dump_with_sum(
      {{"version", 1}, {"digest", list.digest.str()}, {"bytes", list.bytes}, {"chunks", std::move(chunks)}});
}

ChunkList parse_chunk_list(std::string_view text, std::string_view where) {
  json value = parse_json(text, where, Category::network, {.max_bytes = kMaxListBytes});
  try {
    check_sum(value, where);
  } catch (const Error& error) {
    throw Error(Category::network, error.message());
  }
  if (member(value, "version", where) != 1) refuse(where, "its version is not 1");
  ChunkList list;
  list.digest = digest_of(member(value, "digest", where), where);
  list.bytes = number_of(member(value, "bytes", where), where);
  const json& chunks = member(value, "chunks", where);
  if (!chunks.is_array()) refuse(where, "'chunks' is no list");
  std::uint64_t left = list.bytes;
  for (const json& item : chunks) {
    if (!item.is_array() || item.size() != 2) refuse(where, "a chunk is not a digest and a size");
    const ChunkList::Chunk chunk{digest_of(item[0], where), number_of(item[1], where)};
    if (chunk.bytes == 0 || chunk.bytes > left) refuse(where, "its chunks do not add up to its size");
    left -= chunk.bytes;
    list.chunks.push_back(chunk);
  }
  if (left != 0) refuse(where, "its chunks do not add up to its size");
  return list;
}

}  // namespace kiln
