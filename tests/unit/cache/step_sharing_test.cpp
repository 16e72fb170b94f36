#include "builder/cache/step_sharing.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/cache/local_backend.hpp"

using namespace kiln;

namespace {

class Silent : public Log {
 public:
  void info(std::string_view) override {}
  void warn(std::string_view) override {}
  void debug(std::string_view) override {}
};

const std::string kKey(64, 'a');

// Machines that share a folder; each has a cache of its own, so that nothing but the folder connects them.
struct Machine {
  Machine(const fs::path& folder, ClaimTimes times, bool writes = true)
      : store(HomeLayout::open(folder / fs::path("home"))),
        cache(places(folder, writes), {}, log),
        sharing(cache, store, {}, times) {}

  static std::vector<CachePlace> places(const fs::path& folder, bool writes) {
    std::vector<CachePlace> places;
    places.push_back({std::make_unique<LocalBackend>(folder / "cache"), true, writes, CacheMode::min, true});
    return places;
  }
  bool has_result() { return cache.find(kKey, kStepEntryType).entry.has_value(); }
  std::optional<StepSharing::Turn> turn() {
    return sharing.await_turn(
        kKey, StepSharing::Care::careful, [&] { return has_result(); }, [&] { ++waits; });
  }
  void publish(StepSharing::Turn turn) {
    sharing.publish({{kKey, kStepEntryType, "{}", {}, ""}, {}, {}}, std::move(turn));
  }

  Silent log;
  ContentStore store;
  SharedCache cache;
  StepSharing sharing;
  int waits = 0;
};

// Dead after a second without a beat, so that a test need not wait for longer.
constexpr ClaimTimes kQuick{0.05, 1, 0.01, 0.05, 3600};
constexpr ClaimTimes kNeverDead{0.05, 3600, 0.01, 0.05, 3600};

}  // namespace

TEST_CASE("of two machines one executes, and the other takes what it published") {
  const TempDir folder;
  Machine first(folder.path(), kNeverDead);
  Machine second(folder.path(), kNeverDead);
  auto mine = first.turn();
  REQUIRE(mine);
  std::atomic<bool> is_waiting{false};
  auto other = std::async(std::launch::async, [&] {
    return second.sharing.await_turn(
        kKey, StepSharing::Care::careful, [&] { return second.has_result(); }, [&] { is_waiting = true; });
  });
  while (!is_waiting) std::this_thread::yield();
  first.publish(std::move(*mine));
  CHECK_FALSE(other.get());
  CHECK(second.has_result());
}

TEST_CASE("many machines that begin at once execute a step once") {
  const TempDir folder;
  std::atomic<int> executed{0};
  std::vector<std::future<void>> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(std::async(std::launch::async, [&] {
      Machine machine(folder.path(), kNeverDead);
      auto turn = machine.turn();
      if (!turn) return;
      ++executed;
      machine.publish(std::move(*turn));
    }));
  }
  for (auto& one : all) one.get();
  // No machine has a lock: a machine that is not run for long between a look and a write may execute it too.
  CHECK(executed >= 1);
  CHECK(executed <= 2);
}

TEST_CASE("a turn that is not used is given up, and the next machine has it at once") {
  const TempDir folder;
  Machine first(folder.path(), kNeverDead);
  { const auto mine = first.turn(); }
  Machine second(folder.path(), kNeverDead);
  CHECK(second.turn());
  CHECK(second.waits == 0);
}

TEST_CASE("a machine that died is waited for once, and then its step is taken over") {
  const TempDir folder;
  {
    Silent log;
    SharedCache cache(Machine::places(folder.path(), true), {}, log);
    cache.meeting_place().put(
        {claim_key(kKey), kClaimEntryType, serialise(StepClaim{std::string(32, 'd'), 3}, kKey), {}, ""},
        WriteKind::fresh);
  }
  Machine living(folder.path(), kQuick);
  CHECK(living.turn());
  CHECK(living.waits == 1);
}

TEST_CASE("a machine that works longer than the patience of others is not taken for dead") {
  const TempDir folder;
  Machine first(folder.path(), kQuick);
  Machine second(folder.path(), kQuick);
  auto mine = first.turn();
  REQUIRE(mine);
  auto other = std::async(std::launch::async, [&] { return second.turn(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  first.publish(std::move(*mine));
  CHECK_FALSE(other.get());
}

TEST_CASE("a cache that is only read takes no claims") {
  const TempDir folder;
  Machine reader(folder.path(), kNeverDead, false);
  CHECK_FALSE(reader.cache.meeting_place().is_there());
  CHECK(reader.turn());
  CHECK_FALSE(fs::exists(folder.path() / "cache"));
}

TEST_CASE("a damaged claim is none") {
  const TempDir folder;
  Machine machine(folder.path(), kNeverDead);
  machine.cache.meeting_place().put({claim_key(kKey), kClaimEntryType, "{\"version\": 9}", {}, ""}, WriteKind::fresh);
  CHECK(machine.turn());
  CHECK(machine.waits == 0);
}

TEST_CASE("a machine that goes on giving signs of life is waited for no longer than the longest time") {
  const TempDir folder;
  Machine first(folder.path(), kNeverDead);
  const auto mine = first.turn();
  REQUIRE(mine);
  ClaimTimes short_wait = kNeverDead;
  short_wait.most_seconds = 0.3;
  Machine second(folder.path(), short_wait);
  CHECK(second.turn());
  CHECK(second.waits == 1);
  CHECK(ClaimTimes().most_seconds == 3600);
  CHECK(ClaimTimes().patience_seconds == 20);
}
