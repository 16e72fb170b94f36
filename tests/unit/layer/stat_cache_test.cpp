#include "builder/layer/stat_cache.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "base/temp_dir.hpp"
#include "layer_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'000'000 * kSecond;

FileStamp stamp_of(std::uint64_t inode, std::int64_t age_ns = 10 * kSecond) {
  FileStamp stamp;
  stamp.device = 7;
  stamp.inode = inode;
  stamp.size = 100 + inode;
  stamp.mtime_ns = kNow - age_ns;
  stamp.ctime_ns = kNow - age_ns;
  return stamp;
}

KnownFile file_of(std::uint64_t number) { return {oci::sha256_of(std::to_string(number)), number % 2 == 0}; }

struct Place {
  TempDir dir;
  fs::path file = dir.path() / "stat-cache";
  fs::path lock = dir.path() / "lock";
};

}  // namespace

TEST_CASE("a digest is found again by another process, and only by exactly its stamp") {
  Place place;
  {
    StatCache cache(place.file, place.lock);
    CHECK_FALSE(cache.find(stamp_of(1)));
    cache.remember(stamp_of(1), file_of(1), kNow);
    CHECK(cache.find(stamp_of(1)) == file_of(1));
  }
  const StatCache again(place.file, place.lock);
  CHECK(again.find(stamp_of(1)) == file_of(1));
  for (auto member : {&FileStamp::device, &FileStamp::inode, &FileStamp::size}) {
    FileStamp other = stamp_of(1);
    other.*member += 1;
    CHECK_FALSE(again.find(other));
  }
  for (auto member : {&FileStamp::mtime_ns, &FileStamp::ctime_ns}) {
    FileStamp other = stamp_of(1);
    other.*member += 1;
    CHECK_FALSE(again.find(other));
  }
}

TEST_CASE("a file that was touched within two seconds of being hashed is not trusted") {
  Place place;
  StatCache cache(place.file, place.lock);
  cache.remember(stamp_of(1, 2 * kSecond), file_of(1), kNow);
  CHECK_FALSE(cache.find(stamp_of(1, 2 * kSecond)));
  cache.remember(stamp_of(2, 2 * kSecond + 1), file_of(2), kNow);
  CHECK(cache.find(stamp_of(2, 2 * kSecond + 1)));
  FileStamp changed = stamp_of(3);
  changed.ctime_ns = kNow;
  cache.remember(changed, file_of(3), kNow);
  CHECK_FALSE(cache.find(changed));
}

TEST_CASE("the last digest of a file counts, through appending and folding") {
  Place place;
  for (int round = 0; round < 4; ++round) {
    StatCache cache(place.file, place.lock);
    for (std::uint64_t i = 0; i < 6000; ++i) {
      cache.remember(stamp_of(i * 31 % 6000, 10 * kSecond + round),
                     file_of(i * 31 % 6000 + static_cast<std::uint64_t>(round)), kNow);
    }
  }
  const StatCache cache(place.file, place.lock);
  std::size_t right = 0;
  for (std::uint64_t i = 0; i < 6000; ++i) right += cache.find(stamp_of(i, 10 * kSecond + 3)) == file_of(i + 3) ? 1 : 0;
  CHECK(right == 6000);
  CHECK_FALSE(cache.find(stamp_of(5, 10 * kSecond)));
  CHECK(fs::file_size(place.file) < 2 * 6000 * 80 + 32);
}

TEST_CASE("caches of several processes do not lose one another's records") {
  Place place;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t round = 0; round < 5; ++round) {
        StatCache cache(place.file, place.lock);
        for (std::uint64_t i = 0; i < 500; ++i) {
          const std::uint64_t number = t * 10000 + round * 500 + i;
          cache.remember(stamp_of(number), file_of(number), kNow);
        }
        cache.flush();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const StatCache cache(place.file, place.lock);
  std::size_t found = 0;
  for (std::uint64_t t = 0; t < 4; ++t) {
    for (std::uint64_t i = 0; i < 2500; ++i)
      found += cache.find(stamp_of(t * 10000 + i)) == file_of(t * 10000 + i) ? 1 : 0;
  }
  CHECK(found == 10000);
}

TEST_CASE("a cache that is cut while it is open knows what it has read, and of the rest nothing") {
  Place place;
  constexpr std::uint64_t kFiles = 6000;
  {
    StatCache cache(place.file, place.lock);
    for (std::uint64_t i = 0; i < kFiles; ++i) cache.remember(stamp_of(i), file_of(i), kNow);
  }
  const StatCache cache(place.file, place.lock);
  REQUIRE(cache.find(stamp_of(0)) == file_of(0));
  fs::resize_file(place.file, 1000);
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    if (const auto file = cache.find(stamp_of(i))) {
      CHECK(*file == file_of(i));
      ++found;
    }
  }
  CHECK(cache.find(stamp_of(0)) == file_of(0));
  CHECK(found > 0);
  CHECK(found < kFiles);
}

TEST_CASE("a cache that is cut, damaged or none is not believed, and is usable again") {
  Place place;
  {
    StatCache cache(place.file, place.lock);
    for (std::uint64_t i = 0; i < 10; ++i) cache.remember(stamp_of(i), file_of(i), kNow);
  }
  const std::string good = read_file(place.file);
  const auto found_in = [&](std::string_view bytes) {
    write_file_atomically(place.file, bytes);
    std::size_t found = 0;
    {
      StatCache cache(place.file, place.lock);
      for (std::uint64_t i = 0; i < 10; ++i) {
        if (const auto file = cache.find(stamp_of(i))) {
          CHECK(*file == file_of(i));
          ++found;
        }
      }
      cache.remember(stamp_of(99), file_of(99), kNow);
    }
    CHECK(StatCache(place.file, place.lock).find(stamp_of(99)) == file_of(99));
    return found;
  };
  CHECK(found_in(good) == 10);
  CHECK(found_in(good.substr(0, good.size() - 1)) == 0);  // the sorted part is not whole
  CHECK(found_in("") == 0);
  CHECK(found_in("something else entirely, and longer than a header") == 0);
  std::string flipped = good;
  flipped[32 + 88 * 4 + 50] ^= 1;
  CHECK(found_in(flipped) == 9);
  std::string version = good;
  version[8] = 3;
  CHECK(found_in(version) == 0);
  CHECK(found_in(good + "half a record") == 10);
}
