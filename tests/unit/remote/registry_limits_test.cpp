// Bounds of what a registry may answer (docs/limits.md), as far as no other test of this room meets them.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

using Kind = Reaction::Kind;

// A registry that answers these requests so, and no others.
auto answering(std::string method, std::string part, const Answer& answer) {
  return [=](const SeenRequest& request, int) {
    return request.is(method, part) ? Reaction{Kind::answer, answer, 0} : Reaction{};
  };
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a token of more than 64 KiB, or one that no header field can hold, is refused") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  const auto refusal = [&](const std::string& token) {
    Remote remote(options);
    remote.registry.script(answering("GET", "/token", {200, {}, nlohmann::json{{"token", token}}.dump()}));
    return remote.failing([&] { remote.client().resolve("acme/app", "v1"); });
  };
  CHECK(contains(refusal(std::string((64 << 10) + 1, 'a')), "its token has 65537 bytes, more than 65536"));
  CHECK(contains(refusal("a\r\nX-Other: b"), "its token holds what no header field can hold"));
  CHECK(contains(refusal(""), "there is no token in it"));
}

TEST_CASE("an answer of a token server that is no JSON is told without a letter of it") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  for (const char* text : {R"({"token":"canary)", R"({"token":"canary\q"})", "canary"}) {
    Remote remote(options);
    remote.registry.script(answering("GET", "/token", {200, {}, text}));
    const std::string told = remote.failing([&] { remote.client().resolve("acme/app", "v1"); });
    CHECK(contains(told, "answer of the token server"));
    CHECK_FALSE(contains(told, "canary"));
  }
}

TEST_CASE("a manifest of more than 4 MiB is refused, by HEAD already") {
  constexpr std::size_t kBytes = (4 << 20) + 1;
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "v1", {"layer"});
  remote.registry.script(answering("HEAD", "/manifests/",
                                   {200,
                                    {{"Docker-Content-Digest", image.digest.str()}, {"Content-Type", image.media_type}},
                                    std::string(kBytes, ' ')}));
  CHECK(contains(remote.failing([&] { remote.client().resolve("acme/app", "v1"); }),
                 "its size is not between 0 and 4194304 bytes"));
  remote.registry.script(
      answering("GET", "/manifests/", {200, {{"Content-Type", image.media_type}}, std::string(kBytes, ' ')}));
  CHECK(contains(remote.failing([&] { remote.client().fetch_manifest("acme/app", "v1"); }),
                 "the answer is larger than the 4194304 bytes allowed"));
}

TEST_CASE("a manifest that nests deeper than 64 levels is refused") {
  Remote remote;
  const std::string text = R"({"schemaVersion":2,"x":)" + std::string(70, '[') + std::string(70, ']') + "}";
  remote.registry.script(answering("GET", "/manifests/", {200, {}, text}));
  CHECK(contains(remote.failing([&] { remote.client().fetch_manifest("acme/app", "v1"); }),
                 "nested deeper than 64 levels"));
}

TEST_CASE("a document of more than 16 MiB is refused before it is asked for") {
  Remote remote;
  oci::Descriptor config = Remote::blob_of("{}");
  config.size = (16 << 20) + 1;
  CHECK(contains(remote.failing([&] { remote.client().fetch_blob_bytes("acme/app", config); }),
                 "16777217 bytes, more than the 16777216 allowed"));
  CHECK(remote.registry.count("GET", "/blobs/") == 0);
}

TEST_CASE("what a registry says beside a refusal is read to 64 KiB, and shown as a line of it") {
  Remote remote;
  remote.registry.script(
      answering("GET", "/manifests/", {404, {{"Content-Type", "text/plain"}}, std::string(8 << 20, 'x')}));
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "v1"); }).size() < 1000);
}

TEST_CASE("a registry that refuses every token is asked a few times alone") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  Remote remote(options);
  const std::string challenge = fmt::format("Bearer realm=\"http://{}/token\"", remote.registry.authority());
  remote.registry.script(answering("HEAD", "/manifests/", {401, {{"WWW-Authenticate", challenge}}, ""}));
  CHECK(contains(remote.failing([&] { remote.client().resolve("acme/app", "v1"); }), "the registry answered 401"));
  CHECK(remote.registry.count("HEAD", "/manifests/") == 4);
  CHECK(remote.registry.count("GET", "/token") == 3);
}

TEST_CASE("a token server that fails is asked as often as a registry, and not once more for each request") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  const auto tokens_asked = [&](const Reaction& reaction) {
    Remote remote(options);
    remote.registry.script(
        [=](const SeenRequest& request, int) { return request.is("GET", "/token") ? reaction : Reaction{}; });
    remote.failing([&] { remote.client().resolve("acme/app", "v1"); });
    return remote.registry.count("GET", "/token");
  };
  CHECK(tokens_asked({Kind::truncate, {}, 1}) == 7);
  CHECK(tokens_asked({Kind::answer, {200, {{"X", std::string(120 << 10, 'x')}}, ""}, 0}) == 1);
}

TEST_CASE("a header that is too large is not asked for again") {
  Remote remote;
  remote.registry.script(answering("HEAD", "/manifests/", {200, {{"X", std::string(120 << 10, 'x')}}, ""}));
  CHECK(contains(remote.failing([&] { remote.client().resolve("acme/app", "v1"); }),
                 "a line of the answer's header is longer than 100 KiB"));
  CHECK(remote.registry.count("HEAD", "/manifests/") == 1);
}

TEST_CASE("an upload of which the registry keeps a byte of each piece is given up") {
  Remote remote;
  remote.settings.upload_chunk_bytes = 1000;
  remote.registry.options().chunk_min_length = 1000;
  int kept = 0;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("PATCH", "/uploads/")) return Reaction{};
    return Reaction{Kind::answer, {202, {{"Range", fmt::format("0-{}", ++kept)}}, ""}, 0};
  });
  const std::string bytes = bytes_of(100'000);
  CHECK(contains(remote.failing([&] { remote.client().upload_bytes("acme/app", Remote::blob_of(bytes), bytes); }),
                 "says it has"));
  CHECK(kept < 200);
}
