// What a cache does at registries that refuse writes, keep old tags, or lost a layer.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "builder/cache/entry_bundle.hpp"
#include "builder/cache/http_backend.hpp"
#include "builder/cache/local_backend.hpp"
#include "builder/cache/registry_backend.hpp"
#include "builder/cache/step_sharing.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

constexpr char kRepository[] = "acme/cache";

std::string key_of(int step) { return fmt::format("{:064x}", step + 1); }

// A machine that shares the registry's cache with others.
struct Machine {
  explicit Machine(Remote& remote, bool ignore_error = true)
      : store(HomeLayout::open(home.path())),
        session(make_curl_client({}), remote.settings, log, {}, remote.clock),
        cache(places(remote, ignore_error), {}, log),
        sharing(cache, store, {}, kTimes) {}

  std::vector<CachePlace> places(Remote& remote, bool ignore_error) {
    std::vector<CachePlace> opened;
    const std::string reference = remote.registry.authority() + "/" + kRepository;
    opened.push_back({std::make_unique<RegistryBackend>(reference, session), true, true, CacheMode::max, ignore_error});
    return opened;
  }
  NewCacheEntry step(int number, const std::string& content, const std::string& layer = "") {
    NewCacheEntry entry{{key_of(number), kStepEntryType, content, {}, ""}, {}, {}};
    if (!layer.empty()) entry.always = {store.put(layer, oci::media_type::kOciLayerGzip)};
    return entry;
  }
  // Executes a step as a build does: waits for its turn and publishes. False where another machine's result was found.
  bool execute(int number, const std::string& content) {
    auto turn = sharing.await_turn(
        key_of(number), StepSharing::Care::careful,
        [&] { return cache.find(key_of(number), kStepEntryType).entry.has_value(); }, [&] { ++waits; });
    if (!turn) return false;
    sharing.publish(step(number, content), std::move(*turn));
    sharing.finish();
    return true;
  }

  static constexpr ClaimTimes kTimes{0.05, 0.3, 0.01, 0.05, 5};
  TempDir home;
  RecordingLog log;
  ContentStore store;
  RemoteSession session;
  SharedCache cache;
  StepSharing sharing;
  int waits = 0;
};

// The claim of a machine that died in the middle of a step.
void leave_dead_claim(Remote& remote, int number) {
  Machine dead(remote);
  CacheEntry claim{claim_key(key_of(number)), kClaimEntryType, "", {}, ""};
  claim.content = serialise(StepClaim{std::string(32, 'd'), 3}, key_of(number));
  REQUIRE(dead.cache.meeting_place().put(claim, WriteKind::fresh));
}

Reaction refuse(int status, const std::string& code) {
  Answer answer{status, {{"Content-Type", "application/json"}}, ""};
  answer.body = nlohmann::json{{"errors", {{{"code", code}, {"message", "refused"}}}}}.dump();
  return {Reaction::Kind::answer, answer, 0};
}

bool is_put(const SeenRequest& request) { return request.is("PUT", "/manifests/"); }

std::string tag_of(const SeenRequest& request) { return request.path.substr(request.path.rfind('/') + 1); }

// Tags cannot be moved and nothing is deleted, as with ECR's immutable tags. `status` is what a second PUT is answered.
void make_immutable(Remote& remote, int status) {
  auto taken = std::make_shared<std::set<std::string>>();
  remote.registry.options().deletes = false;
  remote.registry.script([taken, status](const SeenRequest& request, int) {
    if (!is_put(request) || taken->insert(tag_of(request)).second) return Reaction{};
    return refuse(status, "TAG_INVALID");
  });
}

}  // namespace

TEST_CASE("a claim that may not be overwritten is waited for once, and the step is executed") {
  Remote remote;
  leave_dead_claim(remote, 1);
  leave_dead_claim(remote, 2);
  remote.registry.script(
      [](const SeenRequest& request, int) { return is_put(request) ? refuse(403, "DENIED") : Reaction{}; });
  Machine machine(remote);
  CHECK(machine.execute(1, "{}"));
  CHECK(machine.waits == 1);
  // The same machine's other claims are as dead.
  CHECK(machine.execute(2, "{}"));
  CHECK(machine.waits == 1);
  CHECK(remote.registry.requests().size() < 200);
}

TEST_CASE("a claim whose write is taken and comes to nothing is waited for once") {
  Remote remote;
  leave_dead_claim(remote, 1);
  remote.registry.script([](const SeenRequest& request, int) {
    return is_put(request) ? Reaction{Reaction::Kind::answer, {201, {}, ""}, 0} : Reaction{};
  });
  Machine machine(remote);
  CHECK(machine.execute(1, "{}"));
  CHECK(machine.waits == 1);
}

TEST_CASE("a registry with immutable tags keeps every entry, whatever it answers to a second write") {
  for (const int status : {400, 403, 405, 409, 412}) {
    CAPTURE(status);
    Remote remote;
    make_immutable(remote, status);
    Machine first(remote, false);
    for (int step = 1; step <= 4; ++step) CHECK(first.execute(step, "{}"));
    first.cache.put_bundle(bundle_key({"app"}), std::vector<std::string>{key_of(1)});
    first.cache.put_bundle(bundle_key({"app"}), std::vector<std::string>{key_of(1), key_of(2)});
    CHECK(error_of([&] { first.cache.finish(); }) == "");
    CHECK(first.log.text().find("nothing more is written") == std::string::npos);

    Machine second(remote);
    for (int step = 1; step <= 4; ++step) CHECK_FALSE(second.execute(step, "{}"));
  }
}

TEST_CASE("an entry that is refused for its tag is an error where errors are not ignored, and no other is lost by it") {
  Remote remote;
  remote.registry.script([](const SeenRequest& request, int) {
    return is_put(request) && tag_of(request) == key_of(1) ? refuse(400, "TAG_INVALID") : Reaction{};
  });
  Machine machine(remote, false);
  machine.cache.put({machine.step(1, "{}"), machine.step(2, "{}")}, machine.store);
  CHECK(remote.registry.tag(kRepository, key_of(2)).has_value());
  CHECK(error_of([&] { machine.cache.finish(); }).find("could not be written: PUT") != std::string::npos);
}

TEST_CASE("a registry that takes nothing more is written to once, and claims are withdrawn all the same") {
  Remote remote;
  auto tags = std::make_shared<std::set<std::string>>();
  remote.registry.script([tags](const SeenRequest& request, int) {
    if (!is_put(request)) return Reaction{};
    tags->insert(tag_of(request));
    return tags->size() <= 2 || request.path.find("/manifests/sha256") != std::string::npos ? Reaction{}
                                                                                            : refuse(403, "DENIED");
  });
  Machine first(remote);
  auto held = first.sharing.await_turn(
      key_of(1), StepSharing::Care::quick, [] { return false; }, [] {});
  auto other = first.sharing.await_turn(
      key_of(2), StepSharing::Care::quick, [] { return false; }, [] {});
  first.sharing.publish(first.step(3, "{}"), std::move(*other));
  first.sharing.finish();
  held.reset();
  CHECK(first.log.text().find("nothing more is written to it") != std::string::npos);
  CHECK_FALSE(remote.registry.tag(kRepository, claim_key(key_of(1))).has_value());
  CHECK_FALSE(remote.registry.tag(kRepository, claim_key(key_of(2))).has_value());
  Machine second(remote);
  CHECK(second.execute(1, "{}"));
  CHECK(second.waits == 0);
}

TEST_CASE("a record whose layer is gone is replaced by the step that was executed, and so is its bundle's") {
  Remote remote;
  const std::string bundle = bundle_key({"app"});
  const auto layer_digest = oci::sha256_of("first layer");
  {
    Machine first(remote);
    first.cache.put({first.step(1, R"({"layer":"first"})", "first layer")}, first.store);
    first.cache.put_bundle(bundle, std::vector<std::string>{key_of(1)});
  }
  remote.registry.drop_blob(kRepository, layer_digest.str());
  {
    Machine second(remote);
    second.cache.expect_bundles({bundle});
    REQUIRE(second.cache.find(key_of(1), kStepEntryType).entry);
    const oci::Descriptor lost{oci::media_type::kOciLayerGzip, layer_digest, 11, {}, {}, {}};
    CHECK_FALSE(second.cache.fetch_blob(lost, second.store, FetchedKind::layer, "RUN x"));
    second.cache.distrust(key_of(1));
    CHECK_FALSE(second.cache.find(key_of(1), kStepEntryType).entry);
    second.cache.put({second.step(1, R"({"layer":"second"})", "second layer")}, second.store);
    second.cache.put_bundle(bundle, std::vector<std::string>{key_of(1)});
    CHECK(second.cache.find(key_of(1), kStepEntryType).entry->content == R"({"layer":"second"})");
  }
  for (const bool by_bundle : {true, false}) {
    CAPTURE(by_bundle);
    Machine third(remote);
    if (by_bundle) third.cache.expect_bundles({bundle});
    const auto found = third.cache.find(key_of(1), kStepEntryType);
    REQUIRE(found.entry);
    CHECK(found.entry->content == R"({"layer":"second"})");
    CHECK(third.cache.fetch_blob(found.entry->blobs.at(0), third.store, FetchedKind::layer, "RUN x"));
  }
}

TEST_CASE("two machines that write one claim at once are no error of the cache") {
  Remote remote;
  Machine first(remote, false);
  Machine second(remote);
  bool has_raced = false;
  remote.registry.script([&](const SeenRequest& request, int) {
    // Right after the first one's PUT the tag is the second one's.
    if (!has_raced && request.method == "HEAD" && request.path.find("/manifests/sha256:") != std::string::npos) {
      has_raced = true;
    }
    return Reaction{};
  });
  CacheEntry claim{claim_key(key_of(1)), kClaimEntryType, "", {}, ""};
  claim.content = serialise(StepClaim{std::string(32, 'a'), 0}, key_of(1));
  CHECK(first.cache.meeting_place().put(claim, WriteKind::fresh));
  CHECK(has_raced);
  claim.content = serialise(StepClaim{std::string(32, 'b'), 0}, key_of(1));
  CHECK(second.cache.meeting_place().put(claim, WriteKind::fresh));
  CHECK(error_of([&] { first.cache.finish(); }) == "");
}

TEST_CASE("a cache entry that is no regular file, or too large, is a miss that says so") {
  Remote remote;
  TempDir folder;
  LocalBackend backend(folder.path());
  backend.put({key_of(1), kStepEntryType, "{}", {}, ""});
  const fs::path entries = folder.path() / "entries" / key_of(1).substr(0, 2);
  REQUIRE(::mkfifo((entries / key_of(2)).c_str(), 0644) == 0);
  fs::copy_file(entries / key_of(1), entries / key_of(3));
  fs::resize_file(entries / key_of(3), 2 * kMaxEntryBytes + 1);
  fs::create_symlink(key_of(4), entries / key_of(4));
  const std::vector<std::string> keys = {key_of(1), key_of(2), key_of(3), key_of(4)};
  const auto findings = backend.find(keys);
  CHECK(findings[0].entry);
  CHECK(findings[1].reason.find("is no regular file") != std::string::npos);
  CHECK(findings[2].reason.find("more than the 16777216 allowed") != std::string::npos);
  CHECK(findings[3].reason.find("too many levels of symbolic links") != std::string::npos);
}

TEST_CASE("a link in place of a folder of a cache is refused, and nothing behind it is written or deleted") {
  for (const std::string part : {"entries", "blobs", "blobs/sha256", "entries/00"}) {
    CAPTURE(part);
    TempDir home;
    TempDir folder;
    TempDir host;
    const ContentStore store(HomeLayout::open(home.path()));
    LocalBackend backend(folder.path());
    const CacheEntry entry{key_of(1), kStepEntryType, "{}", {}, ""};
    backend.put(entry);
    const HeldBlob blob{key_of(2), 7, 0};
    const CacheHoldings held = backend.holdings();
    fs::remove_all(folder.path() / part);
    make_directories((folder.path() / part).parent_path());
    fs::create_symlink(host.path(), folder.path() / part);
    for (const std::string& name : {key_of(1), key_of(2)}) {
      write_file_atomically(host.path() / name, "of the host");
      const timespec times[] = {{0, UTIME_OMIT}, {0, 0}};
      REQUIRE(::utimensat(AT_FDCWD, (host.path() / name).c_str(), times, 0) == 0);
    }
    const std::string refusal =
        fmt::format("machine: '{}' is a link, where a folder of the cache belongs", (folder.path() / part).native());
    CHECK(error_of([&] { backend.put(entry); }).starts_with(refusal));
    CHECK(error_of([&] { backend.holdings(); }).starts_with(refusal));
    // What was listed before the link was made.
    HeldEntry listed = held.entries.at(0);
    listed.last_used = 0;
    if (part.starts_with("entries")) CHECK(error_of([&] { backend.remove(listed); }).starts_with("machine: "));
    if (part.starts_with("blobs")) CHECK(error_of([&] { backend.remove(blob); }).starts_with("machine: "));
    CHECK(list_directory(host.path()).size() == 2);
    CHECK(read_file(host.path() / key_of(1)) == "of the host");
  }
}

TEST_CASE("an answer of an http cache is read to 16 MiB and no further") {
  Remote remote;
  Machine machine(remote);
  HttpBackend http("http://" + remote.registry.authority() + "/cache", machine.session);
  remote.registry.script([](const SeenRequest& request, int) {
    return request.is("GET", "/ac/") ? Reaction{Reaction::Kind::endless, {}, 0} : Reaction{};
  });
  const std::vector<std::string> keys = {key_of(1)};
  CHECK(error_of([&] { http.find(keys); }).find("the answer is larger than the 16777216 bytes allowed") !=
        std::string::npos);
}
