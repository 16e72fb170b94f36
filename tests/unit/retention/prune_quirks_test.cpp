// Repositories as they are found: what cannot be read is kept and said, and nothing is deleted for a list that was cut
// off.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "builder/retention/execute_plan.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

constexpr char kRepository[] = "acme/app";

struct Cleaning : Remote {
  explicit Cleaning(HostileOptions options = {}) : Remote(std::move(options)) {
    rules.retention = {1, 0, 0, 0};
    rules.now = parse_rfc3339("2026-11-30T00:00:00Z");
    rules.fixed_tags[registry.authority() + "/" + kRepository] = {"latest"};
  }
  RemoteRepository place() { return {{registry.authority(), Security::verified}, kRepository}; }
  oci::Descriptor day(int number) {
    return remote_image(kRepository, fmt::format("202611{:02}", number), {"base", fmt::format("day {}", number)});
  }
  RepositoryContents read() { return read_repository(session(), place(), packages()); }
  RetentionPlan plan() { return plan_retention({read()}, rules); }
  PruneOutcome execute(const RetentionPlan& planned) {
    return execute_plan(session(), place().endpoint, planned.repositories[0], packages(), home.path() / "restore.txt");
  }
  const GithubPackages* packages() {
    if (!registry.options().packages_api) return nullptr;
    if (!packages_)
      packages_ = std::make_unique<GithubPackages>(session(), "http://" + registry.authority() + "/api/v3",
                                                   registry.options().password);
    return packages_.get();
  }
  // Puts bytes that may be no manifest under a tag.
  oci::Digest put(const std::string& tag, const std::string& bytes, const std::string& type) {
    return oci::Digest::parse(registry.add_manifest(kRepository, tag, bytes, type));
  }
  std::set<std::string> deleted_tags(const RetentionPlan& planned) const {
    std::set<std::string> tags;
    for (const Deletion& deletion : planned.repositories[0].deletions)
      tags.insert(deletion.tags.begin(), deletion.tags.end());
    return tags;
  }

  RetentionRules rules;

 private:
  std::unique_ptr<GithubPackages> packages_;
};

HostileOptions github() {
  HostileOptions options;
  options.packages_api = true;
  options.deletes = false;
  return options;
}

}  // namespace

TEST_CASE("no deletion trusts a list of tags whose next page is not understood") {
  struct Form {
    std::string link;
    bool is_read;
  };
  for (const Form& form :
       {Form{"<{}>; rel=\"next prefetch\"", true}, Form{"<{}>;rel=next", true},
        Form{"<{}>; title=\"a, b\"; rel=\"NEXT\"", true}, Form{"{}; rel=\"next\"", true}, Form{"<{}>", true},
        Form{"<{}; rel=\"next\"", false}, Form{"next", false}, Form{"<{}>; rel=\"nextPage\"", false}}) {
    CAPTURE(form.link);
    HostileOptions options;
    options.tags_per_page = 2;
    Cleaning cleaning(options);
    for (int day = 1; day <= 3; ++day) cleaning.day(day);
    tag_image(cleaning.session(), cleaning.reference("acme/app:20261101"), "latest");
    cleaning.registry.script([&](const SeenRequest& request, int) {
      if (!request.is("GET", "/tags/list")) return Reaction{};
      const bool is_first = request.query.find("last=") == std::string::npos;
      Answer answer{200, {}, is_first ? R"({"tags":["20261101","20261102"]})" : R"({"tags":["20261103","latest"]})"};
      if (is_first)
        answer.headers.emplace_back("Link",
                                    fmt::format(fmt::runtime(form.link), "/v2/acme/app/tags/list?n=2&last=20261102"));
      return Reaction{Reaction::Kind::answer, answer, 0};
    });
    if (form.is_read) {
      CHECK(cleaning.deleted_tags(cleaning.plan()) == std::set<std::string>{"20261102"});
    } else {
      CHECK(error_of([&] { cleaning.plan(); }).find("network: list of tags") == 0);
    }
  }
}

TEST_CASE("a tag that the registry denies to HEAD and has for GET keeps what it names") {
  Cleaning cleaning;
  for (int day = 1; day <= 3; ++day) cleaning.day(day);
  tag_image(cleaning.session(), cleaning.reference("acme/app:20261101"), "latest");
  cleaning.registry.script([](const SeenRequest& request, int) {
    return request.is("HEAD", "/manifests/latest") ? Reaction{Reaction::Kind::answer, {404, {}, ""}, 0} : Reaction{};
  });
  CHECK(cleaning.deleted_tags(cleaning.plan()) == std::set<std::string>{"20261102"});
}

TEST_CASE("the versions of a package are read to their end in every form of Link") {
  for (const std::string link :
       {"<https://api.example/x?page=2>; rel=next", "<https://api.example/x?page=2>;rel='next'"}) {
    CAPTURE(link);
    HostileOptions options = github();
    options.versions_per_page = 2;
    Cleaning cleaning(options);
    for (int day = 1; day <= 3; ++day) cleaning.day(day);
    std::string body;
    cleaning.registry.script([&](const SeenRequest& request, int) {
      if (!request.is("GET", "/versions") || request.query.find("page=1") == std::string::npos ||
          request.query.find("per_page=100&page=1") == std::string::npos)
        return Reaction{};
      return Reaction{Reaction::Kind::answer, {200, {{"Link", link}}, "[]"}, 0};
    });
    CHECK(cleaning.packages()->versions(kRepository)->versions.size() == 1);
  }
}

TEST_CASE("what kiln cannot read is kept with all that it names, and the rest is planned") {
  Cleaning cleaning;
  const oci::Descriptor first = cleaning.day(1);
  const oci::Descriptor second = cleaning.day(2);
  cleaning.day(3);
  const oci::Digest schema_1 = cleaning.put("ancient", R"({"schemaVersion":1,"signatures":[{}]})",
                                            "application/vnd.docker.distribution.manifest.v1+prettyjws");
  const oci::Digest artifact = cleaning.put(
      "signature",
      nlohmann::json{{"mediaType", "application/vnd.oci.artifact.manifest.v1+json"}, {"blobs", nlohmann::json::array()}}
          .dump(),
      "application/vnd.oci.artifact.manifest.v1+json");
  // An index that kiln refuses for its duplicate key still names an image.
  const oci::Digest damaged = cleaning.put(
      "damaged",
      fmt::format(R"({{"schemaVersion":2,"schemaVersion":2,"manifests":[{{"digest":"{}"}}]}})", first.digest.str()),
      oci::media_type::kOciIndex);
  const oci::Digest nothing = cleaning.put("nothing", "no JSON at all", "application/vnd.oci.image.manifest.v1+json");
  const RetentionPlan plan = cleaning.plan();
  CHECK(cleaning.deleted_tags(plan) == std::set<std::string>{"20261102"});
  CHECK(plan.repositories[0].remarks.size() == 4);
  CHECK(cleaning.execute(plan).deleted == 1);
  CHECK_FALSE(cleaning.registry.has_manifest(kRepository, second.digest.str()));
  for (const oci::Digest& kept : {schema_1, artifact, damaged, nothing, first.digest})
    CHECK(cleaning.registry.has_manifest(kRepository, kept.str()));
}

TEST_CASE("an image that the registry withholds is kept and said, and an index that it withholds stops the clean-up") {
  for (const int status : {403, 412, 451}) {
    CAPTURE(status);
    Cleaning cleaning;
    const oci::Descriptor withheld = cleaning.day(1);
    cleaning.day(2);
    cleaning.day(3);
    const auto withhold = [&](const std::string& digest) {
      cleaning.registry.script([=](const SeenRequest& request, int) {
        return request.is("GET", "/manifests/" + digest)
                   ? Reaction{Reaction::Kind::answer, {status, {}, R"({"errors":[{"code":"DENIED"}]})"}, 0}
                   : Reaction{};
      });
    };
    withhold(withheld.digest.str());
    const RetentionPlan plan = cleaning.plan();
    CHECK(cleaning.deleted_tags(plan) == std::set<std::string>{"20261102"});
    REQUIRE(plan.repositories[0].remarks.size() == 1);
    CHECK(plan.repositories[0].remarks[0].find(fmt::format("the registry answered {} (DENIED)", status)) !=
          std::string::npos);
    CHECK(cleaning.execute(plan).deleted == 1);
    CHECK(cleaning.registry.has_manifest(kRepository, withheld.digest.str()));

    // What it holds is not known, and might be deleted.
    oci::Index index;
    index.manifests = {withheld};
    withhold(cleaning.put("20261104", oci::serialise(index), index.media_type).str());
    const std::string problem = cleaning.failing([&] { cleaning.plan(); });
    CHECK(problem.find(fmt::format("the registry answered {} (DENIED)", status)) != std::string::npos);
  }
}

TEST_CASE("an image whose config is gone is older than all others") {
  Cleaning cleaning;
  const oci::Descriptor broken = cleaning.remote_image(kRepository, "no-day", {"lost"});
  const oci::Manifest manifest =
      oci::parse_manifest(cleaning.client().fetch_manifest(kRepository, "no-day").bytes, "m");
  cleaning.registry.drop_blob(kRepository, manifest.config.digest.str());
  cleaning.day(1);
  const RetentionPlan plan = cleaning.plan();
  REQUIRE(plan.repositories[0].deletions.size() == 1);
  CHECK(plan.repositories[0].deletions[0].digest == broken.digest);
  CHECK(plan.repositories[0].deletions[0].is_broken);
}

TEST_CASE("what has a tag that no client can name is kept") {
  Cleaning cleaning;
  const oci::Descriptor odd = cleaning.day(1);
  cleaning.day(2);
  cleaning.day(3);
  cleaning.registry.script([&](const SeenRequest& request, int) {
    if (request.is("GET", "/tags/list"))
      return Reaction{
          Reaction::Kind::answer, {200, {}, R"({"tags":["1.0+build","20261101","20261102","20261103"]})"}, 0};
    if (request.is("HEAD", "/manifests/1.0+build"))
      return Reaction{Reaction::Kind::answer,
                      {200, {{"Docker-Content-Digest", odd.digest.str()}, {"Content-Type", odd.media_type}}, "x"},
                      0};
    return Reaction{};
  });
  const RetentionPlan plan = cleaning.plan();
  CHECK(cleaning.deleted_tags(plan) == std::set<std::string>{"20261102"});
  CHECK(plan.repositories[0].remarks == std::vector<std::string>{"'1.0+build' is no tag"});
}

TEST_CASE("the parts of a tagged index are no images of their own") {
  Cleaning cleaning;
  const auto release = [&](const std::string& tag) {
    oci::Index index;
    for (const std::string platform : {"linux/amd64", "linux/arm64"}) {
      oci::Descriptor image =
          cleaning.remote_image(kRepository, tag + "-" + platform.substr(6), {tag, platform}, platform);
      image.platform = oci::Platform::parse(platform);
      index.manifests.push_back(image);
    }
    cleaning.put(tag, oci::serialise(index), index.media_type);
  };
  release("20261101");
  release("20261102");
  const RetentionPlan plan = cleaning.plan();
  CHECK(cleaning.deleted_tags(plan) == std::set<std::string>{"20261101", "20261101-amd64", "20261101-arm64"});
  CHECK(cleaning.execute(plan).deleted == 3);
  CHECK(cleaning.registry.broken_tags().empty());
}

TEST_CASE("the requests of a clean-up grow with what it deletes, not with its square") {
  const auto requests_for = [](int images) {
    Cleaning cleaning;
    for (int image = 0; image < images; ++image)
      cleaning.remote_image(kRepository, fmt::format("20261101-{}", image), {fmt::format("layer {}", image)});
    const RetentionPlan plan = cleaning.plan();
    const std::size_t before = cleaning.registry.requests().size();
    CHECK(cleaning.execute(plan).deleted == static_cast<std::size_t>(images - 1));
    return cleaning.registry.requests().size() - before;
  };
  const std::size_t few = requests_for(10);
  const std::size_t many = requests_for(40);
  CHECK(few < 40);
  CHECK(many < 4 * few + 8);
}

TEST_CASE("at GitHub a clean-up costs the packages API one request for each deletion, and the list") {
  Cleaning cleaning(github());
  for (int image = 0; image < 30; ++image)
    cleaning.remote_image(kRepository, fmt::format("20261101-{}", image), {fmt::format("layer {}", image)});
  const RetentionPlan plan = cleaning.plan();
  const int before = cleaning.registry.count("GET", "/api/v3/");
  CHECK(cleaning.execute(plan).deleted == 29);
  CHECK(cleaning.registry.count("GET", "/api/v3/") - before <= 2);
}

TEST_CASE("all tags are compared again when half a minute has passed, and the tags of what goes each time") {
  for (const bool is_own_tag : {true, false}) {
    CAPTURE(is_own_tag);
    Cleaning cleaning;
    for (int day = 1; day <= 5; ++day) cleaning.day(day);
    const RetentionPlan plan = cleaning.plan();
    const std::string last = plan.repositories[0].deletions.back().digest.str();
    const std::string own = plan.repositories[0].deletions.back().tags.front();
    bool has_moved = false;
    cleaning.registry.script([&](const SeenRequest& request, int) {
      if (request.method == "DELETE") {
        has_moved = true;
        if (!is_own_tag) cleaning.clock.advance(31);
      }
      const std::string tags = R"({"tags":["20261101","20261102","20261103","20261104","20261105")";
      if (!is_own_tag && request.is("GET", "/tags/list") && has_moved)
        return Reaction{Reaction::Kind::answer, {200, {}, tags + R"(,"latest"]})"}, 0};
      const bool asks = request.is("HEAD", is_own_tag ? "/manifests/" + own : "/manifests/latest");
      if (!asks || !has_moved) return Reaction{};
      return Reaction{Reaction::Kind::answer,
                      {200,
                       {{"Docker-Content-Digest", is_own_tag ? oci::sha256_of("new").str() : last},
                        {"Content-Type", oci::media_type::kOciManifest}},
                       "x"},
                      0};
    });
    const PruneOutcome outcome = cleaning.execute(plan);
    CHECK(outcome.deleted == (is_own_tag ? 3 : 1));
    REQUIRE_FALSE(outcome.left.empty());
    CHECK(outcome.left[0].find(is_own_tag ? "was moved" : "the tag 'latest' came") != std::string::npos);
    CHECK(cleaning.registry.has_manifest(kRepository, last));
  }
}

TEST_CASE("a package that GitHub hides and the registry has is an error, and one that neither has is not known") {
  Cleaning cleaning(github());
  CHECK_FALSE(cleaning.read().is_known);
  cleaning.day(1);
  cleaning.registry.script([](const SeenRequest& request, int) {
    return request.is("GET", "/versions") ? Reaction{Reaction::Kind::answer, {404, {}, "{}"}, 0} : Reaction{};
  });
  CHECK(error_of([&] { cleaning.read(); }).find("the token lacks the scopes read:packages") != std::string::npos);
}

TEST_CASE("a version that GitHub tells in a way that kiln cannot read is kept with its parts") {
  Cleaning cleaning(github());
  const oci::Descriptor part = cleaning.day(1);
  oci::Index index;
  index.manifests = {part};
  const oci::Digest whole = cleaning.put("20261102", oci::serialise(index), index.media_type);
  const oci::Descriptor newer = cleaning.day(3);
  cleaning.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/versions")) return Reaction{};
    const std::string version = R"({{"id":{},"name":"{}","created_at":"2026-11-01T00:00:00Z","metadata":)"
                                R"({{"container":{{"tags":[{}]}}}}}})";
    std::string text;
    int id = 0;
    for (const auto& [digest, tags] :
         {std::pair{part.digest, ""}, {whole, R"("a b")"}, {newer.digest, R"("20261103")"}})
      text += (text.empty() ? "[" : ",") + fmt::format(fmt::runtime(version), ++id, digest.str(), tags);
    return Reaction{Reaction::Kind::answer, {200, {}, text + "]"}, 0};
  });
  const RetentionPlan plan = cleaning.plan();
  CHECK(plan.repositories[0].deletions.empty());
  CHECK(plan.repositories[0].kept.size() == 3);
  REQUIRE(plan.repositories[0].remarks.size() == 1);
  CHECK(plan.repositories[0].remarks[0].find("holds something that is not a tag") != std::string::npos);
}

TEST_CASE("a version whose name is no digest is left as it is, and the rest is planned") {
  Cleaning cleaning(github());
  const oci::Descriptor image = cleaning.day(1);
  cleaning.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/versions")) return Reaction{};
    const std::string text =
        fmt::format(R"([{{"id":1,"name":"{}","metadata":{{"container":{{"tags":["20261101"]}}}}}},)"
                    R"({{"id":2,"name":"v1.0"}}])",
                    image.digest.str());
    return Reaction{Reaction::Kind::answer, {200, {}, text}, 0};
  });
  const RepositoryContents contents = cleaning.read();
  CHECK(contents.manifests.size() == 1);
  REQUIRE(contents.remarks.size() == 1);
  CHECK(contents.remarks[0].find("version 2 is not named by a digest") != std::string::npos);
}
