#include "builder/cache/cache_entry.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

CacheEntry sample() {
  CacheEntry entry;
  entry.key = std::string(64, 'a');
  entry.media_type = kStepEntryType;
  entry.content = "{\"a\":\n1}";
  entry.signature = "ed25519:0:AA==";
  entry.blobs = {{"application/x", oci::sha256_of("layer"), 5, {}, {}, {}}};
  return entry;
}

}  // namespace

TEST_CASE("an entry comes back as it was written") {
  const CacheEntry entry = sample();
  const CacheEntry back = parse_entry(serialise(entry), entry.key, "entry");
  CHECK(back.key == entry.key);
  CHECK(back.media_type == entry.media_type);
  CHECK(back.content == entry.content);
  CHECK(back.signature == entry.signature);
  CHECK(back.blobs == entry.blobs);
}

TEST_CASE("an entry that was cut anywhere is refused") {
  const std::string text = serialise(sample());
  for (std::size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    CHECK(
        error_of([&] { parse_entry(text.substr(0, size), sample().key, "entry"); }).starts_with("network: entry: it"));
  }
}

TEST_CASE("a flipped bit of the content is refused") {
  std::string text = serialise(sample());
  text.back() ^= 1;
  CHECK(error_of([&] {
          parse_entry(text, sample().key, "entry");
        }).starts_with("network: entry: its content has the digest"));
}

TEST_CASE("another key's entry is refused and the message names both") {
  const std::string other(64, 'b');
  try {
    parse_entry(serialise(sample()), other, "entry");
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(error.message().find(other) != std::string::npos);
    CHECK(error.message().find(sample().key) != std::string::npos);
  }
}

TEST_CASE("an entry of more than 100,000 blobs or of 8 MiB is refused") {
  CacheEntry entry = sample();
  entry.blobs.assign(100'000, entry.blobs[0]);
  CHECK(parse_entry(serialise(entry), entry.key, "entry").blobs.size() == 100'000);
  entry.blobs.push_back(entry.blobs[0]);
  CHECK(error_of([&] { parse_entry(serialise(entry), entry.key, "entry"); }) ==
        "network: entry: its list of blobs is damaged");
  entry = sample();
  entry.content = std::string((8 << 20) + 1, ' ');
  CHECK(error_of([&] { parse_entry(serialise(entry), entry.key, "entry"); }) == "network: entry: it is too large");
}
