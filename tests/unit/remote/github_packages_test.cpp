#include "registry/remote/github_packages.hpp"

#include "tests/support/check_error.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

HostileOptions github() {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  options.packages_api = true;
  return options;
}

struct Github : Remote {
  explicit Github(HostileOptions options = github()) : Remote(std::move(options)) {}
  GithubPackages packages() {
    return {session(), "http://" + registry.authority() + "/api/v3/", registry.options().password};
  }
};

Reaction answer(int status, std::vector<std::pair<std::string, std::string>> headers, std::string body) {
  return {Reaction::Kind::answer, {status, std::move(headers), std::move(body)}, 0};
}

}  // namespace

TEST_CASE("versions come with their digests, tags and times, over all pages") {
  HostileOptions options = github();
  options.versions_per_page = 2;
  Github github(options);
  std::vector<std::string> digests;
  for (int i = 0; i < 5; ++i)
    digests.push_back(github.remote_image("acme/team/app", "t" + std::to_string(i), {std::to_string(i)}).digest.str());
  github.registry.set_created(digests[3], "2026-11-21T09:00:00Z");
  const auto versions = github.packages().versions("acme/team/app");
  REQUIRE(versions.has_value());
  CHECK(versions->versions.size() == 5);
  for (const PackageVersion& version : versions->versions) {
    const auto at = std::find(digests.begin(), digests.end(), version.digest.str()) - digests.begin();
    REQUIRE(at < 5);
    CHECK(version.tags == std::vector<std::string>{"t" + std::to_string(at)});
    CHECK(version.created == parse_rfc3339(at == 3 ? "2026-11-21T09:00:00Z" : "2026-01-01T00:00:00Z"));
  }
  CHECK(github.registry.count("GET", "/versions") >= 3);
  CHECK(github.packages().packages("acme") == std::vector<std::string>{"team/app"});
}

TEST_CASE("a package that is not there has no versions, and a person is no organization") {
  Github github;
  CHECK_FALSE(github.packages().versions("acme/none").has_value());
  github.remote_image("jane/app", "1", {"x"});
  CHECK(github.packages().versions("jane/app")->versions.size() == 1);
  CHECK(github.registry.count("GET", "/users/jane/packages/container/app/versions") == 1);
}

TEST_CASE("a version is removed once; what GitHub will not remove is told apart") {
  HostileOptions options = github();
  options.much_downloaded.insert(oci::sha256_of("x").str());
  Github github(options);
  const auto image = github.remote_image("acme/app", "1", {"a"});
  const auto other = github.remote_image("acme/app", "2", {"b"});
  const auto popular = github.remote_image("acme/app", "3", {"c"});
  github.registry.options().much_downloaded = {popular.digest.str()};
  std::map<std::string, std::uint64_t> ids;
  const auto versions = github.packages().versions("acme/app");
  for (const PackageVersion& version : versions->versions) ids[version.digest.str()] = version.id;
  const GithubPackages packages = github.packages();
  CHECK(packages.remove("acme/app", ids[popular.digest.str()]) == PackageRemoval::too_many_downloads);
  CHECK(packages.remove("acme/app", ids[image.digest.str()]) == PackageRemoval::removed);
  CHECK(packages.remove("acme/app", ids[image.digest.str()]) == PackageRemoval::absent);
  CHECK(packages.versions("acme/app")->versions.size() == 2);
  github.registry.options().much_downloaded.clear();
  CHECK(packages.remove("acme/app", ids[popular.digest.str()]) == PackageRemoval::removed);
  CHECK(packages.remove("acme/app", ids[other.digest.str()]) == PackageRemoval::last_tagged);
  CHECK(packages.restore_command("acme/team/app", 77) ==
        "gh api -X POST /orgs/acme/packages/container/team%2Fapp/versions/77/restore");
}

TEST_CASE("GitHub's rate limits are waited for, and faults are tried again") {
  Github github;
  github.remote_image("acme/app", "1", {"a"});
  const auto reset = std::to_string(github.clock.unix_seconds() + 90);
  github.registry.script([&](const SeenRequest& request, int number) {
    if (!request.path.starts_with("/api/")) return Reaction{};
    switch (number) {
      case 0:
        return answer(403, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", reset}},
                      R"({"message":"API rate limit exceeded"})");
      case 1:
        return answer(403, {{"Retry-After", "60"}}, R"({"message":"You have exceeded a secondary rate limit"})");
      case 2:
        return answer(502, {}, "");
      case 3:
        return Reaction{Reaction::Kind::truncate, {}, 1};
      default:
        return Reaction{};
    }
  });
  CHECK(github.packages().versions("acme/app")->versions.size() == 1);
  const auto waits = github.clock.waits();
  REQUIRE(waits.size() == 4);
  CHECK(waits[0] == doctest::Approx(91));
  CHECK(waits[1] == doctest::Approx(60));
}

TEST_CASE("a rate limit that lasts an hour is an error that says so") {
  Github github;
  const auto reset = std::to_string(github.clock.unix_seconds() + 3000);
  github.registry.script([&](const SeenRequest&, int) {
    return answer(403, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", reset}},
                  R"({"message":"API rate limit exceeded"})");
  });
  const std::string message = github.failing([&] { github.packages().versions("acme/app"); });
  CHECK(message.find("50m01s") != std::string::npos);
  CHECK(github.clock.waits().empty());
}

TEST_CASE("what is refused names the scopes, and a redirect is not followed") {
  Github github;
  github.registry.script([&](const SeenRequest&, int) {
    return answer(403, {}, R"({"message":"Resource not accessible by integration"})");
  });
  const std::string refused = github.failing([&] { github.packages().versions("acme/app"); });
  CHECK(refused.find("delete:packages") != std::string::npos);
  CHECK(refused.find("Resource not accessible by integration") != std::string::npos);
  github.registry.script([&](const SeenRequest&, int) {
    return answer(302, {{"Location", "http://" + github.elsewhere.authority() + "/api/v3/users/acme"}}, "");
  });
  CHECK(github.failing([&] { github.packages().versions("acme/app"); }).find("GITHUB_API_URL") != std::string::npos);
  CHECK(github.elsewhere.requests().empty());
}

TEST_CASE("an answer that is no list of versions is refused") {
  for (const char* body : {"{}", "[1]", R"([{"id":"7"}])", R"([{"id":7,"id":8}])", "["}) {
    CAPTURE(body);
    Github github;
    github.registry.script([&](const SeenRequest& request, int) {
      return request.path.ends_with("/versions") ? answer(200, {}, body) : Reaction{};
    });
    github.failing([&] { github.packages().versions("acme/app"); });
  }
}

TEST_CASE("a version that kiln cannot read is told apart from the others") {
  const std::string digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  for (const std::string& version : {std::string(R"({"id":7,"name":"latest"})"),
                                     R"({"id":7,"name":")" + digest + R"(","metadata":{"container":{"tags":["a b"]}}})",
                                     R"({"id":7,"name":")" + digest + R"(","created_at":"soon"})"}) {
    CAPTURE(version);
    Github github;
    github.registry.script([&](const SeenRequest& request, int) {
      const std::string body = "[" + version + R"(,{"id":8,"name":")" + digest + R"("}])";
      return request.path.ends_with("/versions") ? answer(200, {}, body) : Reaction{};
    });
    const auto found = github.packages().versions("acme/app");
    REQUIRE(found);
    CHECK(found->versions.size() == 1);
    CHECK(found->unreadable.size() == 1);
  }
}

TEST_CASE("the API is asked by https, but on loopback, and found from the registry's name") {
  Remote remote;
  CHECK_ERROR(GithubPackages(remote.session(), "http://api.example.com", "x"), Category::usage,
              "the packages API 'http://api.example.com/' must be asked by https: a token goes there");
  CHECK(GithubPackages::api_of("ghcr.io", "") == "https://api.github.com");
  CHECK(GithubPackages::api_of("containers.acme.ghe.com", "") == "https://api.acme.ghe.com");
  CHECK(GithubPackages::api_of("ghcr.io", "https://git.acme.example/api/v3") == "https://git.acme.example/api/v3");
}

TEST_CASE("a list of versions without an end is left after 1,000 pages") {
  Github github;
  int page = 0;
  github.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/versions")) return Reaction{};
    ++page;
    return answer(200, {{"Link", "<https://api.github.com/next>; rel=\"next\""}}, "[]");
  });
  CHECK(github.failing([&] { github.packages().versions("acme/app"); }).find("more than 1000 pages") !=
        std::string::npos);
  CHECK(page == 1000);
}
