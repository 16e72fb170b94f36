#include "base/thread_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>

#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("every job runs and its result reaches the holder of the future") {
  ThreadPool pool(3);
  std::vector<std::future<int>> results;
  for (int i = 0; i < 100; ++i) results.push_back(pool.submit([i] { return i * i; }));
  for (int i = 0; i < 100; ++i) CHECK(results[static_cast<std::size_t>(i)].get() == i * i);
}

TEST_CASE("the destructor finishes what was submitted") {
  std::atomic<int> done{0};
  {
    ThreadPool pool(2);
    for (int i = 0; i < 50; ++i) pool.submit([&] { ++done; });
  }
  CHECK(done == 50);
}

TEST_CASE("an exception of a job reaches its holder and nobody else") {
  ThreadPool pool(1);
  auto bad = pool.submit([]() -> int { throw Error(Category::build, "bad"); });
  auto good = pool.submit([] { return 1; });
  CHECK_ERROR(bad.get(), Category::build, "bad");
  CHECK(good.get() == 1);
}

TEST_CASE("parallel_for takes every index once") {
  ThreadPool pool(4);
  for (const std::size_t count : {0u, 1u, 3u, 1000u}) {
    std::vector<std::atomic<int>> seen(count);
    pool.parallel_for(count, [&](std::size_t i) { ++seen[i]; });
    for (const auto& times : seen) CHECK(times == 1);
  }
}

TEST_CASE("parallel_for rethrows, and returns only when no body runs any more") {
  ThreadPool pool(4);
  std::atomic<int> running{0};
  const auto body = [&](std::size_t i) {
    ++running;
    const auto leave = [&] { --running; };
    if (i == 17) {
      leave();
      throw Error(Category::machine, "seventeen");
    }
    leave();
  };
  CHECK_ERROR(pool.parallel_for(1000, body), Category::machine, "seventeen");
  CHECK(running == 0);
}

TEST_CASE("a pool of no threads has one") {
  ThreadPool pool(0);
  CHECK(pool.size() == 1);
  CHECK(pool.submit([] { return 5; }).get() == 5);
}
