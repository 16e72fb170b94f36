#include "builder/run/snapshot_store.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/run/boot_id.hpp"
#include "builder/run/growing_snapshot.hpp"
#include "builder/run/shown_folders.hpp"
#include "registry/oci/image_config.hpp"
#include "tests/support/add_file.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

struct Fixture {
  TempDir top;
  ThreadPool pool{2};
  ContentStore store{HomeLayout::open(top.path() / "home")};
  SnapshotStore snapshots{store, pool};
  CancelToken cancel;
  std::mutex mutex;
  std::set<oci::Digest> asked;  // diff IDs of the layers whose blobs were wanted

  std::size_t times_asked() {
    const std::lock_guard lock(mutex);
    return std::exchange(asked, {}).size();
  }

  // A layer with one file.
  SnapshotLayer layer(const std::string& path, const std::string& text) {
    LayerWriter writer(store, pool, {});
    FileEntry entry;
    entry.path = path;
    entry.mode = 0644;
    entry.uid = ::getuid();
    entry.gid = ::getgid();
    test::add_file(writer, entry, text);
    const LayerValue value = writer.finish();
    IndexCache indexes(store);
    return {value.diff_id, indexes.load(*value.index), [this, value] {
              const std::lock_guard lock(mutex);
              asked.insert(value.diff_id);
              return value.blobs.front().descriptor;
            }};
  }
  // The folders of layers that all have blobs.
  SnapshotChain ensure(const std::vector<SnapshotLayer>& layers) {
    std::optional<SnapshotChain> chain = snapshots.try_ensure(layers, cancel);
    REQUIRE(chain.has_value());
    return std::move(*chain);
  }
  fs::path folder(std::uint64_t number) const { return store.home().snapshots() / std::to_string(number); }
};

void pretend_earlier_boot(const fs::path& folder) {
  std::string meta = read_file(folder / "meta");
  meta.replace(meta.find(boot_id()), boot_id().size(), "00000000-0000-0000-0000-000000000000");
  write_file_atomically(folder / "meta", meta);
}

}  // namespace

TEST_CASE("layers are unpacked once, bottom first, and found again by another store") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", "one"), f.layer("b", "two")};
  const SnapshotChain chain = f.ensure(layers);
  REQUIRE(chain.folders().size() == 2);
  CHECK(read_file(chain.folders()[0] / "a") == "one");
  CHECK(read_file(chain.folders()[1] / "b") == "two");
  CHECK_FALSE(fs::exists(chain.folders()[1] / "a"));
  CHECK(f.times_asked() == 2);
  SnapshotStore other(f.store, f.pool);
  CHECK(other.try_ensure(layers, f.cancel)->folders() == chain.folders());
  CHECK(f.times_asked() == 0);
  CHECK_FALSE(fs::exists(chain.folders()[0].parent_path() / "work"));
}

TEST_CASE(
    "blobs are fetched ahead of what is unpacked, those of snapshots that are there are not, and a failure is told") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", "one"), f.layer("b", "two"), f.layer("c", "three")};
  // The first blob comes only once somebody has asked for the last.
  std::vector<SnapshotLayer> waiting = layers;
  waiting[0].blob = [&, blob = layers[0].blob] {
    const auto last_is_asked_for = [&] {
      const std::lock_guard lock(f.mutex);
      return f.asked.contains(layers[2].diff_id);
    };
    for (int i = 0; i < 1000; ++i) {
      if (last_is_asked_for()) return blob();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw Error(Category::network, "nobody fetched ahead");
  };
  {
    const auto below = f.ensure({layers[0]});
    CHECK(f.times_asked() == 1);
    f.ensure(layers);
    CHECK(f.times_asked() == 2);
  }
  f.snapshots.prune([](const SnapshotInfo&) { return false; });
  CHECK_NOTHROW(f.ensure(waiting));

  f.snapshots.prune([](const SnapshotInfo&) { return false; });
  std::vector<SnapshotLayer> broken = layers;
  broken[2].blob = []() -> oci::Descriptor { throw Error(Category::network, "no such blob"); };
  CHECK(error_of([&] { f.ensure(broken); }) == "network: no such blob");
}

TEST_CASE("a layer that must be unpacked and has no blob makes no chain, and is tried again") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", "one"), f.layer("b", "two")};
  std::vector<SnapshotLayer> lacking = layers;
  lacking[1].blob = [] { return std::nullopt; };
  CHECK_FALSE(f.snapshots.try_ensure(lacking, f.cancel));
  CHECK(f.ensure(layers).folders().size() == 2);
  // Unpacked, it needs none.
  CHECK(f.snapshots.try_ensure(lacking, f.cancel));
}

TEST_CASE("what lies below a layer with an opaque root shows in no mount, and keeps its folder") {
  Fixture f;
  const SnapshotLayer cleared = [&] {
    LayerWriter writer(f.store, f.pool, {});
    FileEntry mark;
    mark.type = EntryType::opaque;
    writer.add(mark);
    const LayerValue value = writer.finish();
    return SnapshotLayer{value.diff_id, IndexCache(f.store).load(*value.index),
                         [value] { return value.blobs.front().descriptor; }};
  }();
  const SnapshotLayer a = f.layer("a", "one");
  const SnapshotLayer b = f.layer("b", "two");
  const SnapshotLayer c = f.layer("c", "three");
  // The numbers of the layers whose folders show.
  const auto shown = [&](const std::vector<SnapshotLayer>& layers) {
    const SnapshotChain chain = f.ensure(layers);
    CHECK(chain.folders().size() == layers.size());
    MergedView view;
    for (const SnapshotLayer& layer : layers) view = view.with_layer(layer.index);
    std::vector<std::size_t> numbers;
    for (const fs::path& folder : shown_folders(chain, view)) {
      const auto at = std::find(chain.folders().begin(), chain.folders().end(), folder);
      numbers.push_back(static_cast<std::size_t>(at - chain.folders().begin()));
    }
    return numbers;
  };
  using Numbers = std::vector<std::size_t>;
  CHECK(shown({a, cleared, b}) == Numbers{1, 2});
  CHECK(shown({a, cleared, b, cleared, c}) == Numbers{3, 4});
  CHECK(shown({cleared}) == Numbers{0});
  CHECK(shown({a, b, c}) == Numbers{0, 1, 2});
  CHECK(shown({}) == Numbers{});
}

TEST_CASE("the same layer over another one is another snapshot") {
  Fixture f;
  const SnapshotLayer a = f.layer("a", "one");
  const SnapshotLayer b = f.layer("b", "two");
  const auto ab = f.ensure({a, b});
  const auto bb = f.ensure({b, b});
  CHECK(ab.folders()[1] != bb.folders()[1]);
  CHECK(ab.chain_id() != bb.chain_id());
}

TEST_CASE("threads that want the same chain make it once") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", std::string(1 << 20, 'x')), f.layer("b", "two")};
  std::vector<SnapshotChain> chains(6);
  std::vector<std::thread> threads;
  for (SnapshotChain& chain : chains) threads.emplace_back([&] { chain = f.ensure(layers); });
  for (std::thread& thread : threads) thread.join();
  for (const SnapshotChain& chain : chains) CHECK(chain.folders() == chains.front().folders());
  CHECK(read_file(f.store.home().snapshots() / "next") == "3\n");  // two were begun
}

TEST_CASE("an upper folder becomes the snapshot of its layer without being copied") {
  Fixture f;
  const SnapshotLayer layer = f.layer("made", "by run");
  SnapshotUpper upper = f.snapshots.begin_upper();
  const fs::path folder = upper.folders().fs;
  write_file_atomically(folder / "made", "by run");
  f.snapshots.adopt(std::move(upper), oci::Digest(oci::Digest::parse(layer.diff_id.str())));
  const SnapshotChain chain = f.ensure({layer});
  CHECK(chain.folders() == std::vector<fs::path>{folder});
  CHECK(f.times_asked() == 0);
  CHECK(chain.chain_id() == layer.diff_id);
}

TEST_CASE("of two equal layers the first one's snapshot stays") {
  Fixture f;
  const SnapshotLayer layer = f.layer("made", "by run");
  const SnapshotChain first = f.ensure({layer});
  SnapshotUpper upper = f.snapshots.begin_upper();
  const fs::path second = upper.folders().fs;
  f.snapshots.adopt(std::move(upper), first.chain_id());
  CHECK(f.ensure({layer}).folders() == first.folders());
  CHECK_FALSE(fs::exists(second));
}

TEST_CASE("a layer is unpacked while it is written, and its snapshot is found then") {
  Fixture f;
  const std::vector<SnapshotLayer> base = {f.layer("a", "one")};
  LayerWriterOptions options;
  auto growing = f.snapshots.begin_growing({MergedView({base[0].index}), {}}, f.cancel);
  options.listener = [&](std::string_view tar) { growing->write(tar); };
  LayerWriter writer(f.store, f.pool, options);
  FileEntry entry;
  entry.path = "b";
  entry.mode = 0640;
  entry.uid = ::getuid();
  entry.gid = ::getgid();
  test::add_file(writer, entry, "two");
  const LayerValue value = writer.finish();
  const oci::Digest id = oci::chain_id(oci::chain_id({}, base[0].diff_id), value.diff_id);
  CHECK_FALSE(f.snapshots.has(id));
  f.snapshots.adopt(std::move(growing), id);
  CHECK(f.snapshots.has(id));
  IndexCache indexes(f.store);
  const SnapshotLayer written = {value.diff_id, indexes.load(*value.index),
                                 []() -> oci::Descriptor { throw Error(Category::machine, "not needed"); }};
  const SnapshotChain chain = f.ensure({base[0], written});
  CHECK(read_file(chain.folders().at(1) / "b") == "two");
}

TEST_CASE("a growing snapshot that is given up or cannot be unpacked leaves nothing") {
  Fixture f;
  const oci::Digest id = oci::sha256_of("chain");
  {
    const auto given_up = f.snapshots.begin_growing({}, f.cancel);
    given_up->write("the beginning of a tar");
  }
  auto damaged = f.snapshots.begin_growing({}, f.cancel);
  damaged->write(std::string(4096, 'x'));
  f.snapshots.adopt(std::move(damaged), id);
  CHECK_FALSE(f.snapshots.has(id));
  std::size_t left = 0;
  for (const auto& item : fs::directory_iterator(f.store.home().snapshots()))
    left += fs::exists(item.path() / "fs") ? 1 : 0;
  CHECK(left == 0);
}

TEST_CASE("an upper folder that nobody adopts is gone with its value") {
  Fixture f;
  fs::path folder;
  {
    SnapshotUpper upper = f.snapshots.begin_upper();
    folder = upper.folders().fs.parent_path();
    write_file_atomically(upper.folders().fs / "file", "x");
    SnapshotUpper moved = std::move(upper);
    CHECK(fs::exists(folder));
  }
  CHECK_FALSE(fs::exists(folder));
}

TEST_CASE("a snapshot of an earlier boot is used only where it was synced") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", "one")};
  fs::path folder = f.ensure(layers).folders()[0].parent_path();
  pretend_earlier_boot(folder);
  CHECK(f.times_asked() == 1);
  const fs::path again = f.ensure(layers).folders()[0].parent_path();
  CHECK(again != folder);
  CHECK(f.times_asked() == 1);
  f.snapshots.mark_settled(std::chrono::minutes(1));
  CHECK_FALSE(fs::exists(again / "synced"));
  f.snapshots.mark_settled(std::chrono::seconds(0));
  CHECK(fs::exists(again / "synced"));
  CHECK_FALSE(fs::exists(folder / "synced"));  // of an earlier boot: it is not known
  pretend_earlier_boot(again);
  CHECK(f.ensure(layers).folders()[0].parent_path() == again);
  CHECK(f.times_asked() == 0);
}

TEST_CASE("what was damaged in an earlier boot is told at its first use, and made again") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", "one"), f.layer("b", "two")};
  const std::vector<fs::path> folders = f.ensure(layers).folders();
  f.snapshots.mark_settled(std::chrono::seconds(0));
  for (const fs::path& folder : folders) pretend_earlier_boot(folder.parent_path());
  fs::permissions(folders[1] / "b", fs::perms::owner_all);
  f.times_asked();

  std::vector<std::string> heard;
  SnapshotStore next(f.store, f.pool, [&](const std::string& text) { heard.push_back(text); });
  const std::vector<fs::path> mended = next.try_ensure(layers, f.cancel)->folders();
  CHECK(mended[0] == folders[0]);
  CHECK(mended[1] != folders[1]);
  CHECK(read_file(mended[1] / "b") == "two");
  CHECK(f.times_asked() == 1);
  REQUIRE(heard.size() == 1);
  CHECK(heard[0] == "the unpacked layer " + layers[1].diff_id.str().substr(0, 19) +
                        " is damaged: '/b' has mode 700, expected 644; it is unpacked again");

  // Once in a boot: the mark tells the next process.
  pretend_earlier_boot(mended[1].parent_path());
  write_file_atomically(mended[1].parent_path() / "synced", "");
  write_file_atomically(mended[1].parent_path() / "checked", boot_id() + "\n");
  fs::permissions(mended[1] / "b", fs::perms::owner_all);
  CHECK(SnapshotStore(f.store, f.pool).try_ensure(layers, f.cancel)->folders() == mended);
}

TEST_CASE("a snapshot of another kind of user is made again") {
  Fixture f;
  const std::vector<SnapshotLayer> layers = {f.layer("a", "one")};
  const fs::path folder = f.ensure(layers).folders()[0].parent_path();
  std::string meta = read_file(folder / "meta");
  const std::size_t at = meta.find("kind ");
  write_file_atomically(folder / "meta", meta.substr(0, at) + "kind other\n");
  CHECK(f.ensure(layers).folders()[0].parent_path() != folder);
}

TEST_CASE("what a dead process left is removed, what a living one works on is not") {
  Fixture f;
  make_directories(f.folder(7) / "fs");
  write_file_atomically(f.folder(7) / "lock", "");
  SnapshotStore other(f.store, f.pool);
  const SnapshotUpper living = other.begin_upper();
  CHECK_FALSE(fs::exists(f.folder(7)));
  const SnapshotUpper mine = f.snapshots.begin_upper();
  CHECK(fs::exists(living.folders().fs));
  CHECK(mine.folders().fs != living.folders().fs);
}

TEST_CASE("prune takes what nobody uses and nobody wants") {
  Fixture f;
  const std::vector<SnapshotLayer> used = {f.layer("a", "one")};
  const std::vector<SnapshotLayer> kept = {f.layer("b", "two")};
  const std::vector<SnapshotLayer> unused = {f.layer("c", std::string(200'000, 'x'))};
  SnapshotChain chain = f.ensure(used);
  const oci::Digest kept_id = f.ensure(kept).chain_id();
  const fs::path gone = f.ensure(unused).folders()[0];
  const auto usage = f.snapshots.disk_usage();
  REQUIRE(usage.size() == 3);
  CHECK(std::count_if(usage.begin(), usage.end(), [](const SnapshotInfo& info) { return info.in_use; }) == 1);
  const std::uint64_t freed = f.snapshots.prune([&](const SnapshotInfo& info) { return info.chain_id == kept_id; });
  CHECK(freed >= 200'000);
  CHECK_FALSE(fs::exists(gone));
  CHECK(f.snapshots.disk_usage().size() == 2);
  CHECK(read_file(chain.folders()[0] / "a") == "one");
  CHECK(read_file(f.ensure(unused).folders()[0] / "c").size() == 200'000);
}
