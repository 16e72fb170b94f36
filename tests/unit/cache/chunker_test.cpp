#include "builder/cache/chunker.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "registry/oci/digest.hpp"

using namespace kiln;

namespace {

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::vector<std::string> chunks_of(std::string_view bytes, std::size_t portion = 1 << 16) {
  std::vector<std::string> chunks;
  Chunker chunker([&](std::string_view chunk) { chunks.emplace_back(chunk); });
  for (std::size_t at = 0; at < bytes.size(); at += portion) chunker.write(bytes.substr(at, portion));
  chunker.finish();
  return chunks;
}

std::string joined(const std::vector<std::string>& chunks) {
  std::string all;
  for (const std::string& chunk : chunks) all += chunk;
  return all;
}

}  // namespace

TEST_CASE("chunks are the stream, within their bounds, wherever the writes were cut") {
  const std::string bytes = random_bytes(8 << 20, 1);
  const auto chunks = chunks_of(bytes);
  CHECK(joined(chunks) == bytes);
  CHECK(chunks.size() >= 16);
  CHECK(chunks.size() <= 64);
  const ChunkBounds bounds;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    CHECK(chunks[i].size() <= bounds.most_bytes);
    if (i + 1 < chunks.size()) CHECK(chunks[i].size() > bounds.least_bytes);
  }
  CHECK(chunks_of(bytes, 1000) == chunks);
  CHECK(chunks_of(bytes, bytes.size()) == chunks);
}

TEST_CASE("bytes that are put in change the chunks around them and no others") {
  const std::string before = random_bytes(8 << 20, 2);
  std::string after = before;
  after.insert(after.size() / 2, "a few bytes");
  const auto old_chunks = chunks_of(before);
  const std::set<std::string> known(old_chunks.begin(), old_chunks.end());
  std::size_t fresh = 0;
  for (const std::string& chunk : chunks_of(after)) fresh += known.count(chunk) == 0;
  CHECK(fresh >= 1);
  CHECK(fresh <= 4);
}

TEST_CASE("a stream without any end is cut at the most, and an empty one gives nothing") {
  const auto chunks = chunks_of(std::string(5 << 20, '\0'));
  CHECK(joined(chunks) == std::string(5 << 20, '\0'));
  for (const std::string& chunk : chunks) CHECK(chunk.size() <= ChunkBounds{}.most_bytes);
  CHECK(chunks_of("").empty());
  CHECK(chunks_of("short") == std::vector<std::string>{"short"});
}

TEST_CASE("where streams are cut is pinned: another place would make every stored chunk useless") {
  std::string sizes;
  for (const std::string& chunk : chunks_of(random_bytes(2 << 20, 3))) sizes += std::to_string(chunk.size()) + " ";
  CHECK(sizes == "138772 427873 421246 152955 270080 124499 293988 165604 102135 ");
}

TEST_CASE("what is larger than 2 GiB is cut coarser, and no list has many more than 8192 chunks") {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  CHECK(chunk_bounds_for(0).usual_bytes == ChunkBounds().usual_bytes);
  CHECK(chunk_bounds_for(2 * kGiB).usual_bytes == ChunkBounds().usual_bytes);
  CHECK(chunk_bounds_for(3 * kGiB).usual_bytes == 2 * ChunkBounds().usual_bytes);
  CHECK(chunk_bounds_for(3 * kGiB).most_bytes == 2 * ChunkBounds().most_bytes);
  for (const std::uint64_t bytes : {kGiB, 3 * kGiB, 7 * kGiB, 32 * kGiB})
    CHECK(bytes / chunk_bounds_for(bytes).usual_bytes <= 8192);
}
