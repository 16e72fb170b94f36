#include "builder/cache/chunk_list.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

ChunkList sample() { return {oci::sha256_of("onetwo"), 6, {{oci::sha256_of("one"), 3}, {oci::sha256_of("two"), 3}}}; }

}  // namespace

TEST_CASE("a chunk list survives its JSON") { CHECK(parse_chunk_list(serialise(sample()), "list") == sample()); }

TEST_CASE("a chunk list whose sizes do not add up is refused by name") {
  for (const auto& spoil : {+[](ChunkList& list) { list.bytes = 7; }, +[](ChunkList& list) { list.bytes = 5; },
                            +[](ChunkList& list) { list.chunks[0].bytes = 0; },
                            +[](ChunkList& list) { list.chunks[1].bytes = ~std::uint64_t{0}; }}) {
    ChunkList list = sample();
    spoil(list);
    CHECK(error_of([&] { parse_chunk_list(serialise(list), "list 'x'"); }) ==
          "network: list 'x': 'chunks': they do not add up to the size");
  }
}

TEST_CASE("a chunk list with any flipped bit is refused") {
  const std::string text = serialise(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    CHECK(error_of([&] { parse_chunk_list(flipped, "list"); }).starts_with("network: list"));
  }
}
