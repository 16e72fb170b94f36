#include "base/held_bytes.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace kiln;

namespace {
HeldMark mark_of(BufferOwner owner) { return held_marks().at(static_cast<std::size_t>(owner)); }
}  // namespace

TEST_CASE("the most that an owner held at one time is kept after it let go") {
  const HeldMark before = mark_of(BufferOwner::unpacking);
  {
    HeldBytes first(BufferOwner::unpacking, 1000);
    HeldBytes second(BufferOwner::unpacking, 500);
    CHECK(mark_of(BufferOwner::unpacking).now == before.now + 1500);
    first.set(200);
    CHECK(mark_of(BufferOwner::unpacking).now == before.now + 700);
    const HeldBytes moved = std::move(second);
    CHECK(mark_of(BufferOwner::unpacking).now == before.now + 700);
  }
  CHECK(mark_of(BufferOwner::unpacking).now == before.now);
  CHECK(mark_of(BufferOwner::unpacking).most == before.now + 1500);
}

TEST_CASE("owners are counted apart, from any thread") {
  const std::uint64_t before = mark_of(BufferOwner::read_ahead).now;
  const auto hold = [] {
    for (int i = 0; i < 10'000; ++i) HeldBytes(BufferOwner::read_ahead, 7);
  };
  std::thread other(hold);
  hold();
  other.join();
  CHECK(mark_of(BufferOwner::read_ahead).now == before);
  CHECK(mark_of(BufferOwner::read_ahead).most >= before + 7);
  CHECK(mark_of(BufferOwner::read_ahead).most <= before + 14);
  CHECK(std::string_view(to_string(BufferOwner::file_indexes)) == "file indexes");
}
