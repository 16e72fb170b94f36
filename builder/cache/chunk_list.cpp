#include "builder/cache/chunk_list.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_members.hpp"
#include "builder/cache/record_sum.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxListBytes = std::size_t{4} << 20;

oci::Digest digest_of(const JsonMembers& object, const char* key, const std::string& text) {
  if (!oci::Digest::is_valid(text)) object.refuse(key, "it holds what is no digest");
  return oci::Digest::parse(text);
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
  check_sum(value, where, Category::network);
  const JsonMembers::Refuse refuse = JsonMembers::refusal(where, Category::network);
  const JsonMembers object(value, refuse);
  if (object.small_integer("version") != 1) object.refuse("version", "expected 1");
  ChunkList list;
  list.digest = digest_of(object, "digest", object.string("digest"));
  list.bytes = object.unsigned_integer("bytes");
  const json* chunks = object.find("chunks");
  if (chunks == nullptr || !chunks->is_array()) object.refuse("chunks", "expected a list");
  std::uint64_t left = list.bytes;
  for (const json& item : *chunks) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_number_unsigned())
      object.refuse("chunks", "a chunk is not a digest and a size");
    const ChunkList::Chunk chunk{digest_of(object, "chunks", item[0].get<std::string>()), item[1].get<std::uint64_t>()};
    if (chunk.bytes == 0 || chunk.bytes > left) object.refuse("chunks", "they do not add up to the size");
    left -= chunk.bytes;
    list.chunks.push_back(chunk);
  }
  if (left != 0) object.refuse("chunks", "they do not add up to the size");
  return list;
}

}  // namespace kiln
