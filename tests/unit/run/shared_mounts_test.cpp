#include "builder/run/shared_mounts.hpp"

#include <doctest/doctest.h>

#include <random>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/cache/local_backend.hpp"

using namespace kiln;

namespace {

class Warnings : public Log {
 public:
  void info(std::string_view) override {}
  void warn(std::string_view message) override { texts.emplace_back(message); }
  void debug(std::string_view) override {}
  std::vector<std::string> texts;
};

const CacheMountName kPip{"/root/.cache/pip", 0755, 0, 0};

std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// A machine of its own with the shared cache in `folder`/cache.
struct Machine {
  Machine(const fs::path& folder, const std::string& name, std::uint64_t most_bytes = kMostSharedMountBytes)
      : home(HomeLayout::open(folder / name)),
        cache(places(folder), {}, log),
        mounts(home),
        shared(home, cache, {pool, log, {}}, most_bytes) {}

  static std::vector<CachePlace> places(const fs::path& folder) {
    std::vector<CachePlace> places;
    places.push_back({std::make_unique<LocalBackend>(folder / "cache"), true, true, CacheMode::min, true});
    return places;
  }
  // The folder as a RUN finds it.
  fs::path folder() {
    const auto fill = [&](const fs::path& data) { restored = shared.restore(kPip, data, "RUN pip"); };
    return mounts.acquire(kPip, CacheMountSharing::shared, {}, fill).folder();
  }
  void save() {
    shared.used(kPip);
    shared.save(mounts);
  }

  Warnings log;
  HomeLayout home;
  ThreadPool pool{2};
  SharedCache cache;
  CacheMounts mounts;
  SharedMounts shared;
  bool restored = false;
};

std::vector<fs::path> chunks_in(const TempDir& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder.path() / "cache/blobs/sha256")) paths.push_back(entry.path());
  return paths;
}

}  // namespace

TEST_CASE("what one machine's mount holds, a new machine's begins with") {
  const TempDir folder;
  Machine first(folder.path(), "first");
  const fs::path data = first.folder();
  CHECK_FALSE(first.restored);
  make_directories(data / "http/a");
  write_file_atomically(data / "http/a/wheel", noise(1'000'000, 1));
  write_file_atomically(data / "empty", "");
  fs::permissions(data / "empty", fs::perms::owner_read);
  fs::create_symlink("http/a/wheel", data / "link");
  first.save();

  Machine second(folder.path(), "second");
  const fs::path copy = second.folder();
  CHECK(second.restored);
  CHECK(read_file(copy / "http/a/wheel") == noise(1'000'000, 1));
  CHECK(read_file(copy / "empty").empty());
  CHECK((fs::status(copy / "empty").permissions() & fs::perms::all) == fs::perms::owner_read);
  CHECK(fs::read_symlink(copy / "link") == "http/a/wheel");
  CHECK(second.cache.fetched().front().what == FetchedKind::cache_mount);
  CHECK(second.log.texts.empty());
}

TEST_CASE("a file more sends few chunks more, and what did not change sends nothing") {
  const TempDir folder;
  Machine first(folder.path(), "first");
  const fs::path data = first.folder();
  write_file_atomically(data / "b", noise(6'000'000, 2));
  first.save();
  const std::size_t before = chunks_in(folder).size();
  first.save();
  CHECK(chunks_in(folder).size() == before);
  write_file_atomically(data / "a", noise(300'000, 3));
  first.save();
  CHECK(chunks_in(folder).size() > before);
  CHECK(chunks_in(folder).size() <= before + 8);
  Machine second(folder.path(), "second");
  CHECK(read_file(second.folder() / "a") == noise(300'000, 3));
}

TEST_CASE("a corrupt or missing chunk is said, and the mount begins empty") {
  const TempDir folder;
  Machine first(folder.path(), "first");
  write_file_atomically(first.folder() / "a", noise(2'000'000, 4));
  first.save();
  const std::vector<fs::path> chunks = chunks_in(folder);
  REQUIRE(chunks.size() > 2);
  SUBCASE("corrupt") {
    std::string bytes = read_file(chunks[1]);
    bytes[bytes.size() / 2] ^= 1;
    write_file_atomically(chunks[1], bytes);
  }
  SUBCASE("cut short") { fs::resize_file(chunks[1], 10); }
  SUBCASE("missing") { fs::remove(chunks[1]); }
  Machine second(folder.path(), "second");
  const fs::path data = second.folder();
  CHECK_FALSE(second.restored);
  CHECK(fs::is_empty(data));
  REQUIRE_FALSE(second.log.texts.empty());
  CHECK(second.log.texts.back().find("cache mount '/root/.cache/pip' begins empty") != std::string::npos);
  // What it is filled with, be it the same again, is whole for the next one.
  write_file_atomically(data / "a", noise(2'000'000, 4));
  second.save();
  Machine third(folder.path(), "third");
  CHECK(read_file(third.folder() / "a") == noise(2'000'000, 4));
}

TEST_CASE("what is too large is neither saved nor fetched, and that is said") {
  const TempDir folder;
  Machine small(folder.path(), "small", 1'000'000);
  write_file_atomically(small.folder() / "a", noise(2'000'000, 6));
  small.save();
  REQUIRE(small.log.texts.size() == 1);
  CHECK(small.log.texts[0].find("is not shared: it has") != std::string::npos);
  CHECK_FALSE(fs::exists(folder.path() / "cache"));
  Machine large(folder.path(), "large");
  write_file_atomically(large.folder() / "a", noise(2'000'000, 6));
  large.save();
  Machine other(folder.path(), "other", 1'000'000);
  other.folder();
  CHECK_FALSE(other.restored);
  CHECK(other.log.texts.size() == 1);
  CHECK(kMostSharedMountBytes == std::uint64_t{32} << 30);
}

TEST_CASE("a mount that is being written is left to its writer") {
  const TempDir folder;
  Machine machine(folder.path(), "machine");
  const auto lease = machine.mounts.acquire(kPip, CacheMountSharing::shared, {}, {});
  write_file_atomically(lease.folder() / "a", "half");
  machine.save();
  CHECK_FALSE(fs::exists(folder.path() / "cache"));
}

TEST_CASE("of machines that save at once one stays, whole") {
  const TempDir folder;
  std::vector<std::future<void>> all;
  for (unsigned i = 0; i < 4; ++i) {
    all.push_back(std::async(std::launch::async, [&folder, i] {
      Machine machine(folder.path(), "machine-" + std::to_string(i));
      const fs::path data = machine.folder();
      for (unsigned round = 0; round < 3; ++round) {
        write_file_atomically(data / "a", noise(700'000, 10 * i + round));
        write_file_atomically(data / "b", noise(700'000, 10 * i + round + 1));
        machine.save();
      }
    }));
  }
  for (auto& one : all) one.get();
  Machine reader(folder.path(), "reader");
  const fs::path data = reader.folder();
  REQUIRE(reader.restored);
  CHECK(reader.log.texts.empty());
  bool is_one = false;
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned round = 0; round < 3; ++round) {
      is_one = is_one || (read_file(data / "a") == noise(700'000, 10 * i + round) &&
                          read_file(data / "b") == noise(700'000, 10 * i + round + 1));
    }
  }
  CHECK(is_one);
}

TEST_CASE("an entry that is no chunk list is said, and the mount begins empty") {
  const TempDir folder;
  Machine machine(folder.path(), "machine");
  NewCacheEntry entry{
      {SharedMounts::key_of(kPip), kMountEntryType, "{\"version\": 1, \"chunks\": [[\"../../etc\", 1]]}", {}, ""},
      {},
      {}};
  const ContentStore store(HomeLayout::open(folder.path() / "writer"));
  machine.cache.replace(std::move(entry), store);
  CHECK(fs::is_empty(machine.folder()));
  CHECK_FALSE(machine.restored);
  CHECK(machine.log.texts.size() == 1);
}
