#include "base/work_ahead.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace kiln;

TEST_CASE("jobs are done in their order where one is done at a time") {
  std::vector<int> done;
  std::promise<void> last;
  WorkAhead ahead(1);
  for (int i = 0; i < 5; ++i) ahead.add([&done, i] { done.push_back(i); });
  ahead.add([&last] { last.set_value(); });
  last.get_future().wait();
  CHECK(done == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("no more jobs than asked for are under way at once") {
  std::atomic<int> under_way{0};
  std::atomic<int> most{0};
  std::atomic<int> left{40};
  std::promise<void> last;
  WorkAhead ahead(3);
  for (int i = 0; i < 40; ++i) {
    ahead.add([&] {
      most = std::max(most.load(), ++under_way);
      --under_way;
      if (--left == 0) last.set_value();
    });
  }
  last.get_future().wait();
  CHECK(most >= 1);
  CHECK(most <= 3);
}

TEST_CASE("a job that fails ends what its thread would have done next, and a later one begins a thread again") {
  std::promise<void> failed;
  std::promise<void> done;
  WorkAhead ahead(1);
  ahead.add([&failed] {
    failed.set_value();
    throw std::runtime_error("no network");
  });
  failed.get_future().wait();
  ahead.add([&done] { done.set_value(); });
  // Added while the first thread was ending, it may have to wait for the next one.
  auto result = done.get_future();
  while (result.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) ahead.add([] {});
  CHECK_NOTHROW(result.get());
}

TEST_CASE("the end waits for the job under way and begins no other") {
  std::promise<void> begun;
  std::atomic<bool> is_over{false};
  std::atomic<bool> other{false};
  std::optional<WorkAhead> ahead(std::in_place, 1);
  ahead->add([&] {
    begun.set_value();
    while (!ahead->is_stopping()) std::this_thread::yield();
    is_over = true;
  });
  ahead->add([&] { other = true; });
  begun.get_future().wait();
  ahead.reset();
  CHECK(is_over);
  CHECK_FALSE(other);
}
