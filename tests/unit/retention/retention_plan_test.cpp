#include "builder/retention/retention_plan.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

constexpr UnixSeconds kDay = 24 * 3600;
const UnixSeconds kNow = parse_rfc3339("2026-11-21T12:00:00Z");

oci::Digest digest_of(const std::string& name) { return oci::sha256_of(name); }

// A repository put together by names: the digest of "a" is that of the text "a".
struct Repo {
  RepositoryContents contents;

  explicit Repo(const std::string& name = "r.example/acme/app") {
    contents.name = name;
    contents.repository = name.substr(name.find('/') + 1);
  }
  StoredManifest& add(const std::string& name, std::vector<std::string> tags, std::optional<int> days_ago,
                      std::vector<std::string> layers = {}) {
    StoredManifest& manifest = contents.manifests[digest_of(name)];
    manifest.descriptor = {oci::media_type::kOciManifest, digest_of(name), 10, {}, {}, {}};
    manifest.tags = std::move(tags);
    if (days_ago) manifest.date = kNow - *days_ago * kDay;
    for (const std::string& layer : layers)
      manifest.blobs.push_back({oci::media_type::kOciLayerGzip, digest_of(layer), 100, {}, {}, {}});
    return manifest;
  }
};

RetentionRules last(int count) {
  RetentionRules rules;
  rules.retention = {count, 0, 0, 0};
  rules.now = kNow;
  return rules;
}

std::vector<oci::Digest> deleted(const RepositoryPlan& plan) {
  std::vector<oci::Digest> digests;
  for (const Deletion& deletion : plan.deletions) digests.push_back(deletion.digest);
  return digests;
}

std::set<oci::Digest> deleted_by(const Repo& repo, const RetentionRules& rules) {
  const auto digests = deleted(plan_retention({repo.contents}, rules).repositories.at(0));
  return {digests.begin(), digests.end()};
}

std::set<oci::Digest> set_of(const std::vector<std::string>& names) {
  std::set<oci::Digest> digests;
  for (const std::string& name : names) digests.insert(digest_of(name));
  return digests;
}

class Used : public CacheUse {
 public:
  explicit Used(std::set<std::string> tags) : tags_(std::move(tags)) {}
  bool is_used(const StoredManifest& entry) const override { return tags_.contains(entry.tags.front()); }

 private:
  std::set<std::string> tags_;
};

}  // namespace

TEST_CASE("what is too old goes, and each digest is judged once with all its tags") {
  Repo repo;
  repo.add("new", {"3", "latest"}, 0);
  repo.add("older", {"2"}, 1);
  repo.add("oldest", {"1", "one"}, 2);
  CHECK(deleted_by(repo, last(2)) == set_of({"oldest"}));
  CHECK(deleted_by(repo, last(3)).empty());
  const RetentionPlan plan = plan_retention({repo.contents}, last(2));
  CHECK(plan.repositories[0].deletions[0].tags == std::vector<std::string>{"1", "one"});
  CHECK(plan.repositories[0].tags.size() == 5);
  CHECK(plan.deletions == 1);
}

TEST_CASE("a fixed tag, a release, and a missing date keep an old image") {
  Repo repo;
  repo.add("new", {"n"}, 0);
  repo.add("fixed", {"latest"}, 50);
  repo.add("released", {"r"}, 51);
  repo.add("undated", {"u"}, std::nullopt);
  repo.add("old", {"o"}, 52);
  RetentionRules rules = last(1);
  rules.fixed_tags["r.example/acme/app"] = {"latest"};
  rules.released[digest_of("released")] = "v1";
  CHECK(deleted_by(repo, rules) == set_of({"old"}));
  rules.fixed_tags.clear();
  rules.fixed_tags["r.example/acme/other"] = {"latest"};
  CHECK(deleted_by(repo, rules) == set_of({"old", "fixed"}));
}

TEST_CASE("a kept index keeps what it holds, and one that goes takes along what nobody else holds") {
  Repo repo;
  repo.add("index", {"2"}, 0).children = {digest_of("amd64"), digest_of("shared")};
  repo.add("amd64", {}, std::nullopt);
  repo.add("shared", {}, std::nullopt);
  repo.add("old index", {"1"}, 9).children = {digest_of("old amd64"), digest_of("shared"), digest_of("never pushed")};
  repo.add("old amd64", {}, std::nullopt);
  const RetentionPlan plan = plan_retention({repo.contents}, last(1));
  // The index first: without its children it would be broken.
  CHECK(deleted(plan.repositories[0]) == std::vector<oci::Digest>{digest_of("old index"), digest_of("old amd64")});
}

TEST_CASE("a child that has a kept tag of its own survives its index") {
  Repo repo;
  repo.add("old index", {"1"}, 9).children = {digest_of("child")};
  repo.add("child", {"latest"}, 9);
  repo.add("new", {"3"}, 0);
  RetentionRules rules = last(1);
  rules.fixed_tags["r.example/acme/app"] = {"latest"};
  CHECK(deleted_by(repo, rules) == set_of({"old index"}));
}

TEST_CASE("an index of an old day takes no images along that have days of their own") {
  Repo repo;
  repo.add("index", {"20261101-x"}, 20).children = {digest_of("newest"), digest_of("part")};
  repo.add("newest", {"20261120-b"}, 1);
  repo.add("part", {"20261101-x-arm64"}, 20);
  repo.add("older", {"20261119-a"}, 2);
  CHECK(deleted_by(repo, last(1)) == set_of({"index", "part", "older"}));
}

TEST_CASE("a tag of a day that is not yet is no date") {
  Repo repo;
  repo.add("future", {"20991231-x"}, -26000);
  repo.add("new", {"20261121-a"}, 0);
  repo.add("old", {"20261101-a"}, 20);
  CHECK(deleted_by(repo, last(1)) == set_of({"old"}));
}

TEST_CASE("what refers to a kept image stays, and goes before the image that goes") {
  Repo repo;
  repo.add("new", {"2"}, 0);
  repo.add("old", {"1"}, 9);
  for (const std::string image : {"new", "old"}) {
    repo.add(image + " signature", {}, std::nullopt).subject = digest_of(image);
    StoredManifest& fallback = repo.add(image + " fallback", {"sha256-" + std::string(digest_of(image).hex())}, 9);
    fallback.subject = digest_of(image);
    fallback.children = {digest_of(image + " signature")};
  }
  repo.add("signature of a signature", {}, std::nullopt).subject = digest_of("new signature");
  const auto order = deleted(plan_retention({repo.contents}, last(1)).repositories[0]);
  REQUIRE(order.size() == 3);
  CHECK(order[2] == digest_of("old"));
  CHECK(order[0] == digest_of("old fallback"));
  CHECK(order[1] == digest_of("old signature"));
}

TEST_CASE("signatures of every form take no image's place, and stay and go with their image") {
  Repo repo;
  const auto add_signed = [&](const std::string& name, int days_ago) {
    const std::string hex(digest_of(name).hex());
    repo.add(name, {name}, days_ago);
    // Newer than every image, as what is signed later is.
    repo.add(name + " by tag", {"sha256-" + hex + ".sig"}, 0).subject = digest_of(name);
    repo.add(name + " list", {"sha256-" + hex}, 0).subject = digest_of(name);
    repo.contents.manifests[digest_of(name + " list")].children = {digest_of(name + " bundle"),
                                                                   digest_of(name + " without subject")};
    repo.add(name + " bundle", {}, 0).subject = digest_of(name);
    repo.add(name + " without subject", {}, 0);
  };
  add_signed("1", 9);
  add_signed("2", 8);
  add_signed("3", 7);
  CHECK(deleted_by(repo, last(2)) == set_of({"1", "1 by tag", "1 list", "1 bundle", "1 without subject"}));
}

TEST_CASE("a kept referrer keeps its subject, and one whose subject is elsewhere stays") {
  Repo repo;
  repo.add("new", {"3"}, 0).subject = digest_of("old");
  repo.add("old", {"1"}, 9);
  repo.add("newest", {"4"}, 0);
  repo.add("orphan", {"sha256-" + std::string(digest_of("elsewhere").hex()) + ".sig"}, 9).subject =
      digest_of("elsewhere");
  RetentionRules rules = last(1);
  rules.fixed_tags["r.example/acme/app"] = {"3"};
  CHECK(deleted_by(repo, rules).empty());
}

TEST_CASE("manifests that point at each other end the search, not the program") {
  Repo repo;
  repo.add("a", {"1"}, 9).children = {digest_of("b")};
  repo.add("b", {}, std::nullopt).children = {digest_of("a")};
  repo.contents.manifests[digest_of("b")].subject = digest_of("a");
  repo.add("new", {"2"}, 0);
  CHECK(deleted_by(repo, last(1)) == set_of({"a", "b"}));
}

TEST_CASE("only bytes that nothing kept shares are counted, each once, over all repositories") {
  Repo app;
  app.add("new", {"2"}, 0, {"base", "new layer"});
  app.add("old", {"1"}, 9, {"base", "common", "old layer"});
  app.add("older", {"0"}, 10, {"base", "common"});
  Repo other("r.example/acme/other");
  other.add("other", {"1"}, 9, {"old layer"});
  const RetentionPlan plan = plan_retention({app.contents, other.contents}, last(1));
  CHECK(plan.deletions == 2);
  // "common" once, and the two manifests.
  CHECK(plan.freed_bytes == 100 + 2 * 10);
  std::uint64_t sum = 0;
  for (const Deletion& deletion : plan.repositories[0].deletions) sum += deletion.freed_bytes;
  CHECK(sum == plan.freed_bytes);
}

TEST_CASE("of one day's images the greater tag counts as the newer") {
  Repo repo;
  repo.add("a", {"20261121-aaaa"}, 0);
  repo.add("b", {"20261121-bbbb"}, 0);
  CHECK(deleted_by(repo, last(1)) == set_of({"a"}));
}

TEST_CASE("at GitHub what has no tag goes after a day, unless it is reached") {
  Repo repo;
  repo.add("index", {"1"}, 0).children = {digest_of("child")};
  for (const auto& [name, days] : std::map<std::string, int>{{"child", 9}, {"left over", 9}, {"being pushed", 0}}) {
    repo.add(name, {}, days).version = 7;
  }
  CHECK(deleted_by(repo, last(1)) == set_of({"left over"}));
}

TEST_CASE("a cache's entries stay while they are used or younger than 14 days") {
  Repo cache("r.example/acme/cache");
  cache.add("young", {"k1"}, 13);
  cache.add("used", {"k2"}, 100);
  cache.add("old", {"k3"}, 15);
  cache.add("undated", {"k4"}, std::nullopt);
  for (auto& [digest, entry] : cache.contents.manifests) entry.artifact_type = "application/vnd.kiln.step.v1+json";
  cache.add("image", {"2"}, 100);
  cache.add("old image", {"1"}, 101);
  RetentionRules rules = last(1);
  CHECK_ERROR(plan_retention({cache.contents}, rules), Category::machine,
              "'r.example/acme/cache' holds cache entries whose use is not known");
  const Used used({"k2"});
  rules.cache_use = &used;
  CHECK(deleted_by(cache, rules) == set_of({"old", "old image"}));
}
