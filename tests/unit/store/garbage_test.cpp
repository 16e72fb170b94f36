#include "registry/store/garbage.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <utime.h>

#include <ctime>

#include "base/atomic_file.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"
#include "registry/store/remembered_layers.hpp"
#include "registry/store/seen_places.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

namespace {

constexpr auto kReally = DryRun::no;

// What a process that has ended left in the store: none of it is leased.
oci::Descriptor left_by_another(const HomeLayout& home, const std::string& name,
                                const std::vector<std::string>& layers) {
  ContentStore other(home);
  const oci::Descriptor descriptor = put_image(other, "{\"of\":\"" + name + "\"}", layers);
  if (!name.empty()) {
    const NamedImage image{name, descriptor};
    publish_images(other, {&image, 1});
  }
  return descriptor;
}

void make_old(const fs::path& path) {
  const utimbuf long_ago{std::time(nullptr) - 7200, std::time(nullptr) - 7200};
  REQUIRE(::utime(path.c_str(), &long_ago) == 0);
}

}  // namespace

TEST_CASE_FIXTURE(StoreFixture, "what index.json names stays, what nothing names goes") {
  const oci::Descriptor kept = left_by_another(home, "kept", {"shared", "kept layer"});
  const oci::Descriptor lost = left_by_another(home, "", {"shared", "lost layer"});
  const GarbageReport report = collect_garbage_except(store, {}, kReally);
  CHECK(report.blobs == 3);
  CHECK(missing_blobs(store, kept).empty());
  CHECK_FALSE(store.has(lost.digest));
  CHECK_FALSE(store.has(oci::sha256_of("lost layer")));
}

TEST_CASE_FIXTURE(StoreFixture, "a dry run counts the same and removes nothing") {
  const oci::Descriptor lost = left_by_another(home, "", {"12345"});
  const GarbageReport dry = collect_garbage_except(store, {}, DryRun::yes);
  CHECK(missing_blobs(store, lost).empty());
  const GarbageReport real = collect_garbage_except(store, {}, kReally);
  CHECK(dry.blobs == real.blobs);
  CHECK(dry.bytes == real.bytes);
  CHECK(real.bytes == lost.size + std::string("{\"of\":\"\"}").size() + 5);
}

TEST_CASE_FIXTURE(StoreFixture, "roots of the caller stay") {
  left_by_another(home, "", {"wanted", "unwanted"});
  collect_garbage_except(store, {oci::sha256_of("wanted")}, kReally);
  CHECK(store.has(oci::sha256_of("wanted")));
  CHECK_FALSE(store.has(oci::sha256_of("unwanted")));
}

TEST_CASE_FIXTURE(StoreFixture, "what this process wrote or leased stays") {
  const oci::Descriptor own = put_image(store, "{}", {"own"});
  const oci::Descriptor found = left_by_another(home, "", {"found"});
  store.lease(oci::sha256_of("found"));
  collect_garbage_except(store, {}, kReally);
  CHECK(missing_blobs(store, own).empty());
  CHECK(store.has(oci::sha256_of("found")));
  CHECK_FALSE(store.has(found.digest));
}

TEST_CASE_FIXTURE(StoreFixture, "what another living process uses stays, and goes when it was killed") {
  ForkedChild child([&](ForkedChild::Link& link) {
    ContentStore own(home);
    own.put("in use", "text/plain");
    BlobWriter half = own.begin_blob();
    half.write("half written");
    link.say("ready");
    link.hear();
    link.say(half.commit().str());
    link.hear();
    return 0;
  });
  REQUIRE(child.hear() == "ready");
  for (const std::string& name : list_directory(home.tmp())) make_old(home.tmp() / name);
  collect_garbage_except(store, {}, kReally);
  CHECK(store.has(oci::sha256_of("in use")));
  child.say("commit");
  CHECK(child.hear() == oci::sha256_of("half written").str());
  collect_garbage_except(store, {}, kReally);
  CHECK(store.has(oci::sha256_of("half written")));
  child.kill();
  child.wait();
  collect_garbage_except(store, {}, kReally);
  CHECK(list_directory(home.blobs()).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "temporary files and folders of killed processes go, those of living ones stay") {
  ForkedChild child([&](ForkedChild::Link& link) {
    ContentStore own(home);
    BlobWriter half = own.begin_blob();
    half.write("lost");
    const TempDir scratch(home.tmp(), "scratch-");
    write_file_atomically(scratch.path() / "file", "x");
    link.say("ready");
    link.hear();
    return 0;
  });
  REQUIRE(child.hear() == "ready");
  child.kill();
  child.wait();
  const TempDir mine(home.tmp(), "mine-");
  const BlobWriter writing = store.begin_blob();
  CHECK(list_directory(home.tmp()).size() == 4);
  collect_garbage_except(store, {}, kReally);
  CHECK(list_directory(home.tmp()).size() == 4);  // too young to be judged
  for (const std::string& name : list_directory(home.tmp())) make_old(home.tmp() / name);
  collect_garbage_except(store, {}, kReally);
  CHECK(list_directory(home.tmp()).size() == 2);
  CHECK(fs::exists(mine.path()));
}

TEST_CASE_FIXTURE(StoreFixture, "half-written small files of killed processes go") {
  const fs::path in_index = home.oci() / ".index.json.1.2.tmp", in_facts = home.indexes() / ".abc.1.2.tmp";
  const fs::path young = home.blob_info() / ".abc.1.2.tmp";
  for (const fs::path& path : {in_index, in_facts, young}) write_file_atomically(path, "half");
  make_old(in_facts);
  collect_garbage_except(store, {}, kReally);
  CHECK_FALSE(fs::exists(in_index));
  CHECK_FALSE(fs::exists(in_facts));
  CHECK(fs::exists(young));
}

TEST_CASE_FIXTURE(StoreFixture, "a layer that stays keeps its file index, one that goes loses its facts") {
  const oci::Digest kept_diff = oci::sha256_of("kept tar"), lost_diff = oci::sha256_of("lost tar");
  left_by_another(home, "kept", {"kept layer"});
  left_by_another(home, "", {"lost layer"});
  {
    ContentStore other(home);
    set_index_of_layer(other, kept_diff, other.put("kept index", "a"));
    set_index_of_layer(other, lost_diff, other.put("lost index", "a"));
    set_blob_info(other, oci::sha256_of("kept layer"), {kept_diff, 1});
    set_blob_info(other, oci::sha256_of("lost layer"), {lost_diff, 1});
    for (const char* layer : {"kept layer", "lost layer"})
      note_seen_place(other, oci::sha256_of(layer), "ghcr.io", "acme/app", Seen::sent);
  }
  collect_garbage_except(store, {}, kReally);
  CHECK(index_of_layer(store, kept_diff));
  CHECK(blob_info(store, oci::sha256_of("kept layer")));
  CHECK_FALSE(store.has(oci::sha256_of("lost index")));
  CHECK(list_directory(home.indexes()).size() == 1);
  CHECK(list_directory(home.blob_info()).size() == 1);
  CHECK(list_directory(home.seen_places()) == std::vector{std::string(oci::sha256_of("kept layer").hex())});
}

TEST_CASE_FIXTURE(StoreFixture,
                  "what was seen at a registry is remembered by its shape for a while after it has gone") {
  const std::string shape(64, 'a'), unseen_shape(64, 'b');
  const oci::Digest diff_id = oci::sha256_of("tar"), seen = oci::sha256_of("seen"), unseen = oci::sha256_of("unseen");
  left_by_another(home, "", {"seen", "unseen"});
  {
    ContentStore other(home);
    set_blob_of_shape(other, shape, "zstd", {"", seen, 4, {}, {}, {}});
    set_blob_of_shape(other, unseen_shape, "zstd", {"", unseen, 6, {}, {}, {}});
    set_form_of_layer(other, diff_id, "zstd", {"", seen, 4, {}, {}, {}});
    for (const oci::Digest& blob : {seen, unseen}) set_blob_info(other, blob, {diff_id, 1});
    note_seen_place(other, seen, "ghcr.io", "acme/app", Seen::sent);
  }
  collect_garbage_except(store, {}, kReally);
  CHECK_FALSE(store.has(seen));
  {
    ContentStore other(home);
    CHECK_FALSE(blob_of_shape(other, shape, "zstd"));
    REQUIRE(noted_blob_of_shape(other, shape, "zstd"));
    CHECK(noted_blob_of_shape(other, shape, "zstd")->digest == seen);
    CHECK(noted_blob_of_shape(other, shape, "zstd")->size == 4);
    REQUIRE(blob_info(other, seen));
    CHECK(blob_info(other, seen)->diff_id == diff_id);
    CHECK(seen_places(other, seen) == std::vector<std::string>{"ghcr.io/acme/app"});
    CHECK_FALSE(noted_blob_of_shape(other, unseen_shape, "zstd"));
  }
  // Of the facts of what has gone, nothing else stays.
  CHECK(list_directory(home.forms()) == std::vector{shape + "-zstd-shape"});
  CHECK(list_directory(home.blob_info()) == std::vector{std::string(seen.hex())});

  const std::time_t long_ago = std::time(nullptr) - (kRememberedDays * 24L + 1) * 3600;
  const utimbuf times{long_ago, long_ago};
  REQUIRE(::utime((home.forms() / (shape + "-zstd-shape")).c_str(), &times) == 0);
  collect_garbage_except(store, {}, kReally);
  for (const fs::path& facts : {home.forms(), home.blob_info(), home.seen_places()})
    CHECK(list_directory(facts).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "a damaged manifest stops the collection before anything is removed") {
  const oci::Descriptor image = left_by_another(home, "app", {"layer"});
  left_by_another(home, "", {"lost"});
  write_file_atomically(store.path_of(image.digest), std::string(image.size, ' '));
  CHECK(error_of([&] { collect_garbage_except(store, {}, kReally); }).find("is damaged") != std::string::npos);
  CHECK(store.has(oci::sha256_of("lost")));
  CHECK(store.has(oci::sha256_of("layer")));
}

TEST_CASE_FIXTURE(StoreFixture, "an image that another program left incomplete does not stop the collection") {
  const oci::Descriptor image = left_by_another(home, "app", {"layer"});
  left_by_another(home, "", {"lost"});
  fs::remove(store.path_of(image.digest));
  collect_garbage_except(store, {}, kReally);
  CHECK_FALSE(store.has(oci::sha256_of("lost")));
}

TEST_CASE_FIXTURE(StoreFixture, "files that are no blobs are left alone") {
  write_file_atomically(home.blobs() / "README", "not kiln's");
  collect_garbage_except(store, {}, kReally);
  CHECK(fs::exists(home.blobs() / "README"));
}

TEST_CASE_FIXTURE(StoreFixture, "collections beside processes that publish never break an image") {
  const auto writer = [&](const std::string& prefix) {
    return [this, prefix](ForkedChild::Link&) {
      for (int i = 0; i < 15; ++i) {
        ContentStore own(home);
        // The shared layer is found rather than written in most rounds: leased first, looked for second.
        const NamedImage image{prefix, put_image(own, "{\"i\":" + std::to_string(i) + "}", {"shared", prefix})};
        publish_images(own, {&image, 1});
        if (!missing_blobs(own, image.descriptor).empty()) return 1;
        const std::vector<std::string> names{prefix};
        unpublish_images(own, names);
      }
      return 0;
    };
  };
  ForkedChild a(writer("a")), b(writer("b"));
  ForkedChild collector([&](ForkedChild::Link& link) {
    for (int i = 0; i < 60; ++i) {
      ContentStore own(home);
      collect_garbage_except(own, {}, kReally);
    }
    link.say("done");
    return 0;
  });
  CHECK(a.wait() == 0);
  CHECK(b.wait() == 0);
  CHECK(collector.wait() == 0);
}
