#include "builder/cache/shared_cache.hpp"

#include <doctest/doctest.h>

#include <mutex>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/cache/entry_bundle.hpp"
#include "builder/cache/local_backend.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

// Entries are written by several threads.
class Warnings : public Log {
 public:
  void info(std::string_view) override {}
  void warn(std::string_view message) override {
    const std::lock_guard lock(mutex_);
    texts.emplace_back(message);
  }
  void debug(std::string_view) override {}
  std::vector<std::string> texts;

 private:
  std::mutex mutex_;
};

const std::string kKey(64, 'a');

NewCacheEntry step(std::string content, const std::string& key = kKey) {
  return {{key, kStepEntryType, std::move(content), {}, ""}, {}, {}};
}

// A machine's store, and caches in folders below one that goes with the fixture.
struct Fixture {
  TempDir folder;
  ContentStore store{HomeLayout::open(folder.path() / "home")};
  Warnings log;

  CachePlace place(const std::string& name, bool writes) {
    return {std::make_unique<LocalBackend>(folder.path() / name), true, writes, CacheMode::min, true};
  }
  SharedCache cache(std::vector<std::pair<std::string, bool>> places, EntrySignatures signatures = {}) {
    std::vector<CachePlace> opened;
    for (const auto& [name, writes] : places) opened.push_back(place(name, writes));
    return SharedCache(std::move(opened), std::move(signatures), log);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what one machine puts another one finds, with its blobs") {
  NewCacheEntry entry = step("{}");
  const oci::Descriptor blob = store.put("layer", "application/x");
  entry.always = {blob};
  cache({{"c", true}}).put({entry}, store);

  ContentStore other(HomeLayout::open(folder.path() / "other"));
  SharedCache reader = cache({{"c", false}});
  const auto found = reader.find(kKey, kStepEntryType);
  REQUIRE(found.entry);
  CHECK(found.entry->content == "{}");
  CHECK(found.from == "folder '" + (folder.path() / "c").native() + "'");
  CHECK(reader.fetch_blob(blob, other, FetchedKind::layer, "RUN x"));
  CHECK(other.read(blob.digest) == "layer");
  REQUIRE(reader.fetched().size() == 1);
  CHECK(reader.fetched()[0].step == "RUN x");
}

TEST_CASE_FIXTURE(Fixture,
                  "a blob is said to be there while a place that is read has it, and is not fetched for that") {
  NewCacheEntry entry = step("{}");
  const oci::Descriptor blob = store.put("layer", "application/x");
  entry.always = {blob};
  cache({{"c", true}}).put({entry}, store);
  SharedCache reader = cache({{"empty", false}, {"c", false}});
  CHECK(reader.has_blob(blob));
  CHECK(reader.fetched().empty());
  fs::remove_all(folder.path() / "c/blobs");
  CHECK_FALSE(reader.has_blob(blob));
}

TEST_CASE_FIXTURE(Fixture, "nothing is found where nothing was put, and nobody is warned") {
  const auto found = cache({{"c", true}}).find(kKey, kStepEntryType);
  CHECK_FALSE(found.entry);
  CHECK(found.reason == "");
  CHECK(log.texts.empty());
}

TEST_CASE_FIXTURE(Fixture, "an entry of another kind is a miss that says so") {
  cache({{"c", true}}).put({step("{}")}, store);
  const auto found = cache({{"c", false}}).find(kKey, kLayerEntryType);
  CHECK_FALSE(found.entry);
  CHECK(found.reason.find("kind") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "what a far place answers is written to the nearer one that may be written") {
  cache({{"far", true}}).put({step("{}")}, store);
  CHECK(cache({{"near", true}, {"far", false}}).find(kKey, kStepEntryType).entry);
  CHECK(cache({{"near", false}}).find(kKey, kStepEntryType).entry);
  CHECK(cache({{"read", false}, {"far", false}}).find(kKey, kStepEntryType).entry);
  CHECK_FALSE(cache({{"read", false}}).find(kKey, kStepEntryType).entry);
}

TEST_CASE_FIXTURE(Fixture, "a distrusted entry does not come again") {
  cache({{"c", true}}).put({step("{}")}, store);
  SharedCache reader = cache({{"c", false}});
  CHECK(reader.find(kKey, kStepEntryType).entry);
  reader.distrust(kKey);
  CHECK_FALSE(reader.find(kKey, kStepEntryType).entry);
}

TEST_CASE_FIXTURE(Fixture, "a bundle answers for its entries when they are gone, and keeps what its predecessor held") {
  const std::string name = bundle_key({"app"});
  const std::string second(64, 'b');
  {
    SharedCache writer = cache({{"c", true}});
    writer.put({step("1")}, store);
    writer.put_bundle(name, std::vector<std::string>{kKey});
  }
  {
    SharedCache writer = cache({{"c", true}});
    writer.expect_bundles({name});
    writer.put({step("2", second)}, store);
    writer.put_bundle(name, std::vector<std::string>{second});
  }
  fs::remove(folder.path() / "c/entries/aa" / kKey);
  SharedCache reader = cache({{"c", false}});
  reader.expect_bundles({name});
  const auto first = reader.find(kKey, kStepEntryType);
  REQUIRE(first.entry);
  CHECK(first.entry->content == "1");
  REQUIRE(reader.preloaded().size() == 2);
  CHECK(reader.preloaded()[0].key == second);
}

TEST_CASE_FIXTURE(Fixture, "a place that cannot be used costs one warning and is left alone") {
  make_directories(folder.path() / "c");
  write_file_atomically(folder.path() / "c/something", "else");
  SharedCache broken = cache({{"c", true}});
  CHECK_FALSE(broken.find(kKey, kStepEntryType).entry);
  CHECK_FALSE(broken.find(kKey, kStepEntryType).entry);
  REQUIRE(log.texts.size() == 1);
  CHECK(log.texts[0].find("going on without it") != std::string::npos);
}

TEST_CASE("a bundle holds as much as fits, the first entries first") {
  std::vector<CacheEntry> entries;
  for (int i = 0; i < 5; ++i)
    entries.push_back(step(std::string(kMaxBundleBytes / 3, 'x'), std::string(64, static_cast<char>('a' + i))).entry);
  const auto back = parse_bundle(serialise_bundle(entries), "bundle");
  REQUIRE(back.size() == 2);
  CHECK(back[0].key == entries[0].key);
  CHECK(error_of([&] { parse_bundle("{\"version\": 2, \"entries\": []}", "bundle"); }) ==
        "network: bundle: it is no bundle of version 1");
  CHECK(error_of([&] { parse_bundle("[]", "bundle"); }) == "network: bundle: it is no bundle of version 1");
}

TEST_CASE_FIXTURE(Fixture, "a folder in the place of one file of a cache costs that file and no other") {
  const std::string second(64, 'b');
  NewCacheEntry blocked = step("1");
  blocked.always = {store.put("layer", "application/x")};
  const fs::path blob = folder.path() / "c/blobs/sha256" / std::string(blocked.always[0].digest.hex());
  fs::create_directories(blob / "someone's");
  fs::create_directories(folder.path() / "c/entries/bb" / second);
  write_file_atomically(folder.path() / "c/version", "kiln cache 1\n");
  SharedCache writer = cache({{"c", true}});
  const std::string third(64, 'c');
  writer.put({blocked, step("2", second), step("3", third)}, store);
  CHECK(log.texts.size() == 2);
  for (const std::string& text : log.texts)
    CHECK(text.find("is a folder, where a file of the cache belongs; remove it") != std::string::npos);
  SharedCache reader = cache({{"c", false}});
  CHECK_FALSE(reader.find(kKey, kStepEntryType).entry);
  CHECK(reader.find(third, kStepEntryType).entry);
  fs::remove_all(blob);
  writer.put({blocked}, store);
  CHECK(cache({{"c", false}}).find(kKey, kStepEntryType).entry);
}
