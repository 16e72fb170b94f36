#include "registry/store/pending_pushes.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/garbage.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

namespace {

PendingPush push_of(const std::string& target, const std::string& text) {
  const oci::Digest digest = oci::sha256_of(text);
  PendingPush push;
  push.target = target;
  push.root = {oci::media_type::kOciManifest, digest, text.size(), {}, {}, {}};
  push.blobs = {{digest, ""}, {oci::sha256_of("layer"), "ghcr.io/acme/base"}};
  push.since = "2026-11-20T12:00:00Z";
  push.problem = "nobody answered";
  return push;
}

}  // namespace

TEST_CASE("a failed push is remembered once for each target until it succeeds") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  const PendingPushes pushes(home);
  CHECK(pushes.list().empty());
  const std::string target = "ghcr.io/acme/app:1";
  pushes.update(std::vector<std::string>{target}, {});
  CHECK_FALSE(fs::exists(home.root() / "pending-pushes.json"));
  pushes.update({}, std::vector{push_of("ghcr.io/acme/b:1", "b"), push_of(target, "old")});
  pushes.update({}, std::vector{push_of(target, "new")});
  REQUIRE(pushes.list().size() == 2);
  CHECK(pushes.list()[0] == push_of(target, "new"));
  pushes.update(std::vector<std::string>{target}, {});
  REQUIRE(pushes.list().size() == 1);
  CHECK(pushes.list()[0].target == "ghcr.io/acme/b:1");
}

TEST_CASE("a garbage collection keeps what a pending push needs") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  {
    ContentStore writer(home);
    writer.put("kept", "text/plain");
    writer.put("gone", "text/plain");
  }
  const PendingPushes pushes(home);
  pushes.update({}, std::vector{push_of("ghcr.io/acme/app:1", "kept")});
  ContentStore store(home);
  CHECK(collect_garbage_except(store, {}, DryRun::no).blobs == 1);
  CHECK(store.has(oci::sha256_of("kept")));
  pushes.update(std::vector<std::string>{"ghcr.io/acme/app:1"}, {});
  CHECK(collect_garbage_except(store, {}, DryRun::no).blobs == 1);
}

TEST_CASE("a file that is no list of pending pushes is named") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path() / "home");
  for (const std::string text :
       {"", "[]", "{\"schema_version\": 2, \"pushes\": []}", "{\"schema_version\": 1, \"pushes\": [{}]}",
        "{\"schema_version\": 1, \"pushes\": [{\"target\": \"a/b:1\", \"root\": {\"digest\": \"x\"}}]}"}) {
    CAPTURE(text);
    write_file_atomically(home.root() / "pending-pushes.json", text);
    CHECK_ERROR(PendingPushes(home).list(), Category::machine, doctest::Contains("pending-pushes.json"));
  }
}
