#include <fmt/format.h>

#include "builder/retention/execute_plan.hpp"
#include "builder/retention/prune_scope.hpp"
#include "builder/retention/released_digests.hpp"
#include "registry/remote/release_record.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// A registry (GitHub's or any other) with images of consecutive days, "20261101" on, in acme/app.
struct Pruning : Remote {
  explicit Pruning(HostileOptions options = {}) : Remote(std::move(options)) {
    rules.retention = {2, 0, 0, 0};
    rules.now = parse_rfc3339("2026-11-30T00:00:00Z");
    rules.fixed_tags[registry.authority() + "/acme/app"] = {"latest"};
  }
  void days(int count) {
    for (int day = 1; day <= count; ++day) {
      images.push_back(
          remote_image("acme/app", fmt::format("202611{:02}-abc", day), {"base", "day " + std::to_string(day)}));
      registry.set_created(images.back().digest.str(), fmt::format("2026-11-{:02}T08:00:00Z", day));
    }
  }
  RemoteRepository place(const std::string& repository = "acme/app") {
    return {{registry.authority(), Security::verified}, repository};
  }
  const GithubPackages* packages() {
    if (!registry.options().packages_api) return nullptr;
    if (!packages_)
      packages_ = std::make_unique<GithubPackages>(session(), "http://" + registry.authority() + "/api/v3",
                                                   registry.options().password);
    return packages_.get();
  }
  RepositoryContents read(const std::string& repository = "acme/app") {
    return read_repository(session(), place(repository), packages());
  }
  RetentionPlan plan() { return plan_retention({read()}, rules); }
  PruneOutcome execute(const RetentionPlan& planned) {
    return execute_plan(session(), place().endpoint, planned.repositories[0], packages(), restore_file());
  }
  fs::path restore_file() const { return home.path() / "notes" / "restore.txt"; }

  std::vector<oci::Descriptor> images;
  RetentionRules rules;

 private:
  std::unique_ptr<GithubPackages> packages_;
};

HostileOptions github() {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  options.packages_api = true;
  options.deletes = false;
  options.versions_per_page = 2;
  return options;
}

}  // namespace

TEST_CASE("a tag that names another image's digest makes an image with a tag of its own no part of that") {
  Pruning pruning;
  pruning.days(3);
  const auto newest = pruning.client().fetch_manifest("acme/app", "20261103-abc");
  pruning.registry.add_manifest("acme/app", "sha256-" + std::string(pruning.images[0].digest.hex()) + ".x",
                                newest.bytes, newest.descriptor.media_type);
  const RetentionPlan plan = pruning.plan();
  REQUIRE(plan.deletions == 1);
  CHECK(plan.repositories[0].deletions[0].digest == pruning.images[0].digest);
}

TEST_CASE("what a plan names is deleted, and nothing else") {
  Pruning pruning;
  pruning.days(5);
  const RetentionPlan plan = pruning.plan();
  CHECK(plan.deletions == 3);
  CHECK(pruning.registry.count("DELETE", "") == 0);
  const PruneOutcome outcome = pruning.execute(plan);
  CHECK(outcome.deleted == 3);
  CHECK(outcome.freed_bytes == plan.freed_bytes);
  CHECK(outcome.left.empty());
  CHECK(pruning.registry.count("DELETE", "") == 3);
  for (int i = 0; i < 5; ++i)
    CHECK(pruning.registry.has_manifest("acme/app", pruning.images[i].digest.str()) == (i >= 3));
  CHECK(pruning.registry.broken_tags().empty());
  CHECK(pruning.plan().deletions == 0);
}

TEST_CASE("an old image that has a fixed tag by now keeps all its tags") {
  Pruning pruning;
  pruning.days(4);
  tag_image(pruning.session(), pruning.reference("acme/app:20261101-abc"), "latest");
  CHECK(pruning.execute(pruning.plan()).deleted == 1);
  CHECK(pruning.registry.tag("acme/app", "latest") == pruning.images[0].digest.str());
  CHECK(pruning.registry.tag("acme/app", "20261101-abc") == pruning.images[0].digest.str());
}

TEST_CASE("a tag that comes or moves while pruning stops it before the next deletion") {
  for (const bool is_new : {true, false}) {
    CAPTURE(is_new);
    Pruning pruning;
    pruning.days(5);
    if (!is_new) tag_image(pruning.session(), pruning.reference("acme/app:20261105-abc"), "latest");
    const RetentionPlan plan = pruning.plan();
    // After the first deletion somebody rolls back to an image that is about to go.
    std::string saved;
    for (const Deletion& deletion : plan.repositories[0].deletions) saved = deletion.digest.str();
    int deletions = 0;
    pruning.registry.script([&](const SeenRequest& request, int) {
      deletions += request.method == "DELETE" ? 1 : 0;
      return Reaction{};
    });
    RetentionPlan first = plan;
    first.repositories[0].deletions.resize(1);
    CHECK(pruning.execute(first).deleted == 1);
    tag_image(pruning.session(), pruning.reference("acme/app@" + saved), "latest");
    const PruneOutcome outcome = pruning.execute(plan);
    CHECK(outcome.deleted == 0);
    CHECK(outcome.left.size() == 3);
    CHECK(outcome.left[0].find(is_new ? "the tag 'latest' came" : "the tag 'latest' was moved") != std::string::npos);
    CHECK(deletions == 1);
    CHECK(pruning.registry.tag("acme/app", "latest") == saved);
    CHECK(pruning.registry.broken_tags().empty());
  }
}

TEST_CASE("a registry that deletes nothing is told how it would") {
  HostileOptions options;
  options.deletes = false;
  Pruning pruning(options);
  pruning.days(3);
  const RetentionPlan plan = pruning.plan();
  CHECK(pruning.failing([&] { pruning.execute(plan); }).find("REGISTRY_STORAGE_DELETE_ENABLED=true") !=
        std::string::npos);
}

TEST_CASE("indexes, their children and referrers are read, with and without a referrers API") {
  for (const bool api : {true, false}) {
    CAPTURE(api);
    HostileOptions options;
    options.referrers_api = api;
    Pruning pruning(options);
    pruning.days(3);
    oci::Index index;
    index.manifests = {pruning.images[0]};
    const std::string text = oci::serialise(index);
    pruning.registry.add_manifest("acme/app", "20261109", text, index.media_type);
    oci::Manifest signature;
    signature.artifact_type = "application/vnd.acme.signature";
    signature.config = pruning.blob_of("{}");
    signature.subject = pruning.images[1];
    pruning.registry.add_blob("acme/app", "{}");
    const std::string signature_text = oci::serialise(signature);
    pruning.client().put_manifest("acme/app", oci::sha256_of(signature_text).str(), signature_text,
                                  signature.media_type);

    const RepositoryContents contents = pruning.read();
    CHECK(contents.manifests.size() == (api ? 5 : 6));
    REQUIRE(contents.manifests.contains(oci::sha256_of(signature_text)));
    CHECK(contents.manifests.at(oci::sha256_of(signature_text)).subject == pruning.images[1].digest);
    const PruneOutcome outcome = pruning.execute(pruning.plan());
    // Kept: the index of the 9th with the image of the 1st, the image of the 3rd. Gone: the image of the 2nd and its
    // signature.
    CHECK(outcome.deleted == (api ? 2 : 3));
    CHECK(pruning.registry.has_manifest("acme/app", pruning.images[0].digest.str()));
    CHECK_FALSE(pruning.registry.has_manifest("acme/app", pruning.images[1].digest.str()));
    CHECK_FALSE(pruning.registry.has_manifest("acme/app", oci::sha256_of(signature_text).str()));
    CHECK(pruning.registry.broken_tags().empty());
  }
}

TEST_CASE("at GitHub versions are removed by the packages API, tagged or not, with a note how to restore each") {
  Pruning pruning(github());
  pruning.days(4);
  const oci::Descriptor untagged = pruning.remote_image("acme/app", "", {"left over"});
  const RetentionPlan plan = pruning.plan();
  CHECK(plan.deletions == 3);
  const PruneOutcome outcome = pruning.execute(plan);
  CHECK(outcome.deleted == 3);
  CHECK_FALSE(pruning.registry.has_manifest("acme/app", untagged.digest.str()));
  CHECK(pruning.registry.has_manifest("acme/app", pruning.images[3].digest.str()));
  CHECK(pruning.registry.count("DELETE", "/v2/") == 0);
  const std::string notes = read_file(pruning.restore_file());
  CHECK(std::count(notes.begin(), notes.end(), '\n') == 3);
  CHECK(notes.find("gh api -X POST /orgs/acme/packages/container/app/versions/") != std::string::npos);
  CHECK(notes.find(untagged.digest.str()) != std::string::npos);
  CHECK(notes.find(pruning.registry.options().password) == std::string::npos);
}

TEST_CASE("what GitHub will not delete is left with its reason, and the rest goes on") {
  Pruning pruning(github());
  pruning.days(4);
  pruning.registry.options().much_downloaded = {pruning.images[0].digest.str()};
  const PruneOutcome outcome = pruning.execute(pruning.plan());
  CHECK(outcome.deleted == 1);
  REQUIRE(outcome.left.size() == 1);
  CHECK(outcome.left[0].find("5,000 downloads") != std::string::npos);
}

TEST_CASE("a repository that is not there is empty, and one that cannot be read is an error") {
  Pruning pruning;
  CHECK(pruning.read("acme/none").manifests.empty());
  pruning.days(2);
  pruning.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/manifests/") ? Reaction{Reaction::Kind::answer, {403, {}, "{}"}, 0} : Reaction{};
  });
  CHECK(pruning.failing([&] { pruning.read(); }).find("while reading") != std::string::npos);
}

TEST_CASE("the time of an image is its config's where neither tag nor annotation tells it") {
  Pruning pruning;
  oci::ImageConfig config;
  config.platform = oci::Platform::parse("linux/amd64");
  const auto push = [&](const std::string& tag, const std::string& created, const std::string& annotation) {
    config.created = created;
    oci::Manifest manifest;
    const std::string text = oci::serialise(config);
    pruning.registry.add_blob("acme/app", text);
    manifest.config = {oci::media_type::kOciConfig, oci::sha256_of(text), text.size(), {}, {}, {}};
    if (!annotation.empty()) manifest.annotations["org.opencontainers.image.created"] = annotation;
    const std::string bytes = oci::serialise(manifest);
    return oci::Digest::parse(pruning.registry.add_manifest("acme/app", tag, bytes, manifest.media_type));
  };
  const auto by_config = push("a", "2026-05-01T00:00:00Z", "");
  const auto reproducible = push("b", "1980-01-01T00:00:00Z", "");
  const auto by_annotation = push("c", "2026-05-02T00:00:00Z", "2026-06-01T00:00:00Z");
  const auto nonsense = push("d", "1980-01-01T00:00:00Z", "yesterday");
  const auto manifests = pruning.read().manifests;
  CHECK(manifests.at(by_config).date == parse_rfc3339("2026-05-01T00:00:00Z"));
  CHECK_FALSE(manifests.at(reproducible).date.has_value());
  CHECK(manifests.at(by_annotation).date == parse_rfc3339("2026-06-01T00:00:00Z"));
  CHECK_FALSE(manifests.at(nonsense).date.has_value());
}

TEST_CASE("releases name what they keep, and one that cannot be read stops a prune") {
  Pruning pruning;
  const std::string place = pruning.registry.authority() + "/acme";
  CHECK(released_digests(pruning.session(), place, false).empty());
  pruning.days(2);
  ReleaseRecord release{
      "v1", "2026-11-20T12:00:00Z", "0.1.0", place, {{"app", place + "/app", "latest", pruning.images[0], 1}}};
  put_release(pruning.session(), release);
  release.name = "v2";
  release.images[0].manifest = pruning.images[1];
  put_release(pruning.session(), release);
  CHECK(released_digests(pruning.session(), place, false) ==
        std::map<oci::Digest, std::string>{{pruning.images[0].digest, "v1"}, {pruning.images[1].digest, "v2"}});
  pruning.registry.script([](const SeenRequest& request, int) {
    return request.is("GET", "/releases/blobs/") ? Reaction{Reaction::Kind::answer, {200, {}, "{}"}, 0} : Reaction{};
  });
  CHECK(pruning.failing([&] { released_digests(pruning.session(), place, false); })
            .find("while reading what the releases") != std::string::npos);
}

TEST_CASE("releases that the registry lists and then does not find stop a prune") {
  Pruning pruning;
  pruning.days(1);
  const std::string place = pruning.registry.authority() + "/acme";
  put_release(
      pruning.session(),
      {"v1", "2026-11-20T12:00:00Z", "0.1.0", place, {{"app", place + "/app", "latest", pruning.images[0], 1}}});
  const PruneScope scope = scope_of_prefix(pruning.session(), place, nullptr);
  CHECK(scope.namespaces_with_releases == std::set<std::string>{place});
  CHECK(scope.repositories.size() == 1);
  CHECK(released_digests(pruning.session(), place, true).size() == 1);
  pruning.registry.script([](const SeenRequest& request, int) {
    return request.is("GET", "/releases/tags/list") ? Reaction{Reaction::Kind::answer, {404, {}, "{}"}, 0} : Reaction{};
  });
  CHECK(pruning.failing([&] { released_digests(pruning.session(), place, true); })
            .find("/acme/releases' is listed and then not found") != std::string::npos);
}

TEST_CASE("tags that are attached to a digest are known by their form") {
  const std::string hex(64, 'a');
  CHECK(digest_in_tag("sha256-" + hex)->hex() == hex);
  CHECK(digest_in_tag("sha256-" + hex + ".sig")->hex() == hex);
  for (const std::string& tag :
       {std::string("latest"), "sha256-" + hex.substr(1), "sha256-" + hex + "b", "sha256-" + std::string(64, 'g')}) {
    CAPTURE(tag);
    CHECK_FALSE(digest_in_tag(tag).has_value());
  }
}
