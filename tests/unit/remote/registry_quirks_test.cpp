// Registries as they are: what each of these does was met in the field.

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "registry/remote/credentials.hpp"
#include "registry/remote/release_record.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

std::string path_tail(const SeenRequest& request) { return request.path.substr(request.path.rfind('/') + 1); }

Answer without_body(int status, std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {status, std::move(headers), ""};
}

// The mirrors of registry.example in a registries.conf: two registries on loopback, the first asked first.
RegistriesConf mirrored(const std::string& mirror, const std::string& registry) {
  return RegistriesConf::parse(fmt::format("[[registry]]\nprefix = \"registry.example\"\nlocation = \"{}\"\n"
                                           "[[registry.mirror]]\nlocation = \"{}\"\n",
                                           registry, mirror),
                               "registries.conf");
}

}  // namespace

TEST_CASE("a blob is found where HEAD tells no size and the registry knows no ranges") {
  const std::string bytes = R"({"architecture":"amd64","config":{"Env":["TOKEN=canary-in-config"]}})";
  for (const int head : {200, 405, 501}) {
    for (const std::string range : {"whole", "chunked", "fails"}) {
      CAPTURE(head);
      CAPTURE(range);
      Remote remote;
      const std::string digest = remote.registry.add_blob("acme/app", bytes);
      remote.registry.script([&](const SeenRequest& request, int) {
        if (!request.is("HEAD", "/blobs/") && !request.is("GET", "/blobs/")) return Reaction{};
        if (request.method == "HEAD")
          return Reaction{Reaction::Kind::answer, without_body(head, {{"Content-Length", "0"}}), 0};
        if (range == "chunked") return Reaction{Reaction::Kind::endless};
        if (range == "fails") return Reaction{Reaction::Kind::answer, {501, {}, bytes}, 0};
        return Reaction{Reaction::Kind::answer, {200, {}, bytes}, 0};
      });
      const auto find = [&] { return remote.client().find_blob("acme/app", oci::Digest::parse(digest)); };
      if (head != 200 && range == "fails") {
        CHECK(remote.failing(find).find("the registry answered 501") != std::string::npos);
        continue;
      }
      const BlobPresence found = find();
      CHECK(found.is_there);
      CHECK(found.size == (range == "whole" ? std::optional<std::uint64_t>(bytes.size()) : std::nullopt));
      CHECK(found.matches(Remote::blob_of(bytes)));
      CHECK_FALSE(BlobPresence{true, 3}.matches(Remote::blob_of(bytes)));
    }
  }
}

TEST_CASE("what a registry answers with success is content, and no message quotes it") {
  Remote remote;
  const std::string secret = "canary-in-a-layer";
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("DELETE", "/manifests/") ? Reaction{Reaction::Kind::answer, {206, {}, secret}, 0} : Reaction{};
  });
  const std::string message = remote.failing([&] { remote.client().delete_manifest("acme/app", "v1"); });
  CHECK(message.find("the registry answered 206") != std::string::npos);
  CHECK(message.find(secret) == std::string::npos);
}

TEST_CASE("a push that worked is none that failed because somebody moved the tag meanwhile") {
  for (const int shown_late : {0, 2}) {
    CAPTURE(shown_late);
    Remote remote;
    const oci::Descriptor other = remote.remote_image("acme/app", "other", {"theirs"});
    const oci::Descriptor image = remote.image({"ours"});
    int hidden = 0;
    bool is_put = false;
    remote.registry.script([&](const SeenRequest& request, int) {
      // The tag is the other job's as soon as ours was put; the manifest shows up a little later.
      is_put = is_put || request.is("PUT", "/manifests/v1");
      if (request.is("HEAD", "/manifests/v1") && is_put)
        return Reaction{
            Reaction::Kind::answer,
            without_body(200, {{"Docker-Content-Digest", other.digest.str()}, {"Content-Type", other.media_type}}), 0};
      if (request.is("HEAD", "/manifests/" + image.digest.str()) && hidden++ < shown_late)
        return Reaction{Reaction::Kind::answer, without_body(404), 0};
      return Reaction{};
    });
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:v1")}});
    CHECK(hidden == shown_late + 1);
  }
}

TEST_CASE("a manifest that the registry does not have after it took it is an error") {
  Remote remote;
  const oci::Descriptor image = remote.image({"ours"});
  const auto forget = [&](const std::string& method) {
    remote.registry.script([=](const SeenRequest& request, int) {
      const bool is_asked = request.is("HEAD", "/manifests/sha256:") || request.is(method, "/manifests/sha256:");
      return is_asked ? Reaction{Reaction::Kind::answer, without_body(404), 0} : Reaction{};
    });
  };
  const auto push = [&](const std::string& tag) {
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:" + tag)}});
  };
  forget("GET");
  CHECK(remote.failing([&] { push("v1"); }).find("after pushing it, the registry does not have it") !=
        std::string::npos);
  // One that denies it to HEAD alone has it.
  forget("HEAD");
  CHECK_NOTHROW(push("v2"));
}

TEST_CASE("a manifest is taken with any answer of success") {
  for (const int status : {200, 201, 202, 204}) {
    CAPTURE(status);
    Remote remote;
    const oci::Descriptor image = remote.image({"ours"});
    remote.registry.script([&](const SeenRequest& request, int) {
      if (!request.is("PUT", "/manifests/")) return Reaction{};
      return Reaction{Reaction::Kind::answer, without_body(status), 0};
    });
    remote.registry.add_manifest("acme/app", "", remote.store.read(image.digest), image.media_type);
    CHECK_FALSE(push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:v1")}}).error);
  }
}

TEST_CASE("a layer that a mirror lacks or spoils is asked of the registry") {
  for (const bool spoils : {false, true}) {
    CAPTURE(spoils);
    Remote remote;
    HostileRegistry mirror;
    const oci::Descriptor image = remote.remote_image("acme/app", "v1", {"layer one", "layer two"});
    remote.settings.registries = mirrored(mirror.authority(), remote.registry.authority());
    const FetchedManifest fetched = remote.client().fetch_manifest("acme/app", "v1");
    const oci::Manifest manifest = oci::parse_manifest(fetched.bytes, "m");
    mirror.add_manifest("acme/app", "v1", fetched.bytes, fetched.descriptor.media_type);
    mirror.add_blob("acme/app", remote.client().fetch_blob_bytes("acme/app", manifest.config));
    mirror.add_blob("acme/app", "layer one");
    if (spoils) {
      mirror.script([&](const SeenRequest& request, int) {
        return request.is("GET", "/blobs/" + manifest.layers[1].digest.str())
                   ? Reaction{Reaction::Kind::answer, {200, {}, "layer ???"}, 0}
                   : Reaction{};
      });
    }
    const auto pulled =
        pull_image(remote.session(), remote.store, oci::Reference::parse("registry.example/acme/app:v1"),
                   oci::Platform::parse("linux/amd64"), PullWhat::layers);
    CHECK(pulled.root == image);
    CHECK(remote.store.read(manifest.layers[1].digest) == "layer two");
    CHECK(mirror.count("GET", "/blobs/") > 0);
    CHECK(remote.registry.count("GET", "/blobs/" + manifest.layers[0].digest.str()) == 0);
  }
}

TEST_CASE("a token server may lead on within its own origin, and nowhere else") {
  for (const bool own : {true, false}) {
    for (const int status : {301, 302, 303, 307, 308}) {
      CAPTURE(own);
      CAPTURE(status);
      HostileOptions options;
      options.auth = HostileOptions::Auth::token;
      Remote remote(options);
      remote.remote_image("acme/app", "v1", {"layer"});
      remote.registry.options().realm = "http://" + remote.registry.authority() + "/old-token";
      const std::string target = own ? "/token" : "http://" + remote.elsewhere.authority() + "/token";
      remote.registry.script([&](const SeenRequest& request, int) {
        if (!request.is("GET", "/old-token")) return Reaction{};
        return Reaction{Reaction::Kind::answer, without_body(status, {{"Location", target + "?" + request.query}}), 0};
      });
      const auto ask = [&] { return remote.client().resolve("acme/app", "v1"); };
      if (own && status != 303) {
        CHECK(ask());
      } else {
        CHECK(remote.failing(ask).find("redirect, which is not followed with credentials") != std::string::npos);
      }
      CHECK(remote.elsewhere.requests().empty());
    }
  }
}

TEST_CASE("a token server that leads round in a circle is left") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  Remote remote(options);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/token")
               ? Reaction{Reaction::Kind::answer, without_body(302, {{"Location", "/token"}}), 0}
               : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().ping(); }).find("answered with a redirect") != std::string::npos);
  CHECK(remote.registry.requests().size() < 20);
}

TEST_CASE("an answer that trickles is left, whether it is kept or streamed") {
  Remote remote;
  remote.http.stall_timeout_ms = 200;
  const std::string layer = bytes_of(4000);
  const std::string digest = remote.registry.add_blob("acme/app", layer);
  remote.registry.script([&](const SeenRequest& request, int) {
    const bool drips = request.is("GET", "/blobs/") || request.is("GET", "/manifests/");
    return drips ? Reaction{Reaction::Kind::drip, {200, {}, layer}, 0} : Reaction{};
  });
  const std::string streamed =
      remote.failing([&] { remote.client().download_blob("acme/app", Remote::blob_of(layer), remote.store); });
  CHECK(streamed.find("next to nothing moved for 0.2s: fewer than ") != std::string::npos);
  CHECK(remote.registry.count("GET", "/blobs/" + digest) == 3);
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "v1"); }).find("moved for 0.2s") !=
        std::string::npos);
}

TEST_CASE("an answer that is kept must be whole in time, however steadily it comes") {
  Remote remote;
  remote.http.least_bytes_per_second = 1;
  remote.http.stall_timeout_ms = 10'000;
  remote.http.kept_body_timeout_ms = 200;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/tags/list") ? Reaction{Reaction::Kind::drip, {200, {}, std::string(2000, ' ')}, 0}
                                           : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().list_tags("acme/app"); })
            .find("the answer is not whole 0.2s after it began") != std::string::npos);
}

TEST_CASE("mounting is given up where the registry fails at it, and the blobs are sent") {
  Remote remote;
  remote.remote_image("acme/base", "v1", {"one", "two", "three", "four"});
  remote.registry.script([](const SeenRequest& request, int) {
    return request.method == "POST" && request.query.find("mount=") != std::string::npos
               ? Reaction{Reaction::Kind::answer, {500, {}, ""}, 0}
               : Reaction{};
  });
  for (const std::string layer : {"one", "two", "three", "four"})
    CHECK_FALSE(remote.client().mount_blob("acme/app", Remote::blob_of(layer), "acme/base"));
  CHECK(remote.registry.count("POST", "/blobs/uploads/") == 4);  // two blobs, each tried twice
  CHECK(remote.clock.waits().size() == 2);
}

TEST_CASE(
    "a foreign layer is fetched from the urls of its manifest, verified, and without the registry's credentials") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::basic;
  Remote remote(options);
  const std::string layer = "a layer that registries do not keep";
  oci::Descriptor foreign = Remote::blob_of(layer);
  foreign.media_type = oci::media_type::kDockerForeignLayerGzip;
  CHECK(remote.failing([&] { remote.client().download_blob("acme/app", foreign, remote.store); })
            .find("no url says who has it") != std::string::npos);
  foreign.urls = {"http://" + remote.elsewhere.authority() + "/gone",
                  "http://" + remote.elsewhere.authority() + "/layer"};
  remote.elsewhere.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/layer") ? Reaction{Reaction::Kind::answer, {200, {}, layer}, 0} : Reaction{};
  });
  remote.client().download_blob("acme/app", foreign, remote.store);
  CHECK(remote.store.read(foreign.digest) == layer);
  CHECK(remote.elsewhere.count("GET", "/") == 2);
}

TEST_CASE("a url of a manifest gets no credentials at the registry itself, nor where it leads back there") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::basic;
  Remote remote(options);
  remote.registry.add_blob("secret/x", "of others");
  oci::Descriptor foreign = Remote::blob_of("of others");
  foreign.media_type = oci::media_type::kDockerForeignLayerGzip;
  const std::string blob = "/v2/secret/x/blobs/" + foreign.digest.str();
  foreign.urls = {blob, "http://" + remote.elsewhere.authority() + "/back"};
  remote.elsewhere.script([&](const SeenRequest&, int) {
    return Reaction{
        Reaction::Kind::answer, {302, {{"Location", "http://" + remote.registry.authority() + blob}}, ""}, 0};
  });
  CHECK_FALSE(remote.failing([&] { remote.client().download_blob("acme/app", foreign, remote.store); }).empty());
  CHECK_FALSE(remote.store.has(foreign.digest));
}

TEST_CASE("an image is pulled by its sha512") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "v1", {"layer"});
  const std::string bytes = remote.client().fetch_manifest("acme/app", "v1").bytes;
  const oci::Digest sha512 = oci::digest_like(oci::Digest::parse("sha512:" + std::string(128, '0')), bytes);
  remote.registry.script([&](const SeenRequest& request, int) {
    return path_tail(request) == sha512.str()
               ? Reaction{Reaction::Kind::answer, {200, {{"Content-Type", image.media_type}}, bytes}, 0}
               : Reaction{};
  });
  const auto pulled = pull_image(remote.session(), remote.store, remote.reference("acme/app@" + sha512.str()),
                                 oci::Platform::parse("linux/amd64"), PullWhat::layers);
  CHECK(pulled.root == image);
  CHECK(pulled.reference.digest == image.digest);

  const std::string other = "sha512:" + std::string(128, '1');
  remote.registry.script([&](const SeenRequest& request, int) {
    return path_tail(request) == other
               ? Reaction{Reaction::Kind::answer, {200, {{"Content-Type", image.media_type}}, bytes}, 0}
               : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", other); }).find("its bytes have sha512:") !=
        std::string::npos);
  oci::Descriptor blob = Remote::blob_of("layer");
  blob.digest = sha512;
  CHECK(remote.failing([&] { remote.client().download_blob("acme/app", blob, remote.store); })
            .find("read by sha256 digests alone") != std::string::npos);
}

TEST_CASE("what a registry states of a sha512 is not believed: the bytes are asked for") {
  Remote remote;
  const oci::Descriptor signed_one = remote.remote_image("acme/app", "signed", {"signed"});
  const oci::Descriptor other = remote.remote_image("acme/app", "other", {"other"});
  const std::string bytes = remote.client().fetch_manifest("acme/app", "other").bytes;
  const oci::Digest sha512 = oci::digest_like(oci::Digest::parse("sha512:" + std::string(128, '0')), bytes);
  remote.registry.script([&](const SeenRequest& request, int) {
    if (path_tail(request) != sha512.str()) return Reaction{};
    const std::string stated = (request.is("HEAD", "") ? signed_one : other).digest.str();
    return Reaction{Reaction::Kind::answer,
                    {200, {{"Content-Type", other.media_type}, {"Docker-Content-Digest", stated}}, bytes},
                    0};
  });
  CHECK(remote.client().resolve("acme/app", sha512.str()) == other);
}

TEST_CASE("a list is asked for in smaller pages where the registry wants that") {
  for (const std::string allowed : {"n=100", ""}) {
    CAPTURE(allowed);
    Remote remote;
    remote.remote_image("acme/one", "v1", {"1"});
    remote.remote_image("acme/two", "v1", {"2"});
    remote.registry.script([&](const SeenRequest& request, int) {
      if (request.path != "/v2/_catalog" || request.query == allowed) return Reaction{};
      const nlohmann::json body = {{"errors", {{{"code", "PAGINATION_NUMBER_INVALID"}, {"message", "too many"}}}}};
      return Reaction{Reaction::Kind::answer, {400, {{"Content-Type", "application/json"}}, body.dump()}, 0};
    });
    CHECK(remote.client().list_repositories() == std::vector<std::string>{"acme/one", "acme/two"});
  }
}

TEST_CASE("lists without an end are left") {
  Remote remote;
  int page = 0;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/tags/list")) return Reaction{};
    const std::string next = fmt::format("</v2/acme/app/tags/list?last={}>; rel=\"next\"", page);
    return Reaction{Reaction::Kind::answer, {200, {{"Link", next}}, fmt::format(R"({{"tags":["t{}"]}})", page++)}, 0};
  });
  CHECK(remote.failing([&] { remote.client().list_tags("acme/app"); }).find("more than 2000 pages") !=
        std::string::npos);
  CHECK(page == 2000);
}

TEST_CASE("a page of more than 64 MiB, and a list of more than a million names, are left") {
  Remote remote;
  remote.registry.script([](const SeenRequest& request, int) {
    return request.is("GET", "/tags/list") ? Reaction{Reaction::Kind::endless, {}, 0} : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().list_tags("acme/app"); })
            .find("the answer is larger than the 67108864 bytes allowed") != std::string::npos);
  std::string names = R"("t")";
  for (int i = 0; i < 1'000'000; ++i) names += R"(,"t")";
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/tags/list")
               ? Reaction{Reaction::Kind::answer, {200, {}, R"({"tags":[)" + names + "]}"}, 0}
               : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().list_tags("acme/app"); }).find("more than 1000000 entries") !=
        std::string::npos);
}

TEST_CASE("a page that is missing behind the first one is not the end of a list, and the repository not gone") {
  Remote remote;
  remote.registry.script([](const SeenRequest& request, int) {
    if (!request.is("GET", "/tags/list")) return Reaction{};
    if (request.query == "page=2") return Reaction{Reaction::Kind::answer, without_body(404), 0};
    return Reaction{Reaction::Kind::answer, {200, {{"Link", "<?page=2>; rel=next"}}, R"({"tags":["v1"]})"}, 0};
  });
  for (const auto& list : std::vector<std::function<void()>>{
           [&] { remote.client().find_tags("acme/app"); }, [&] { remote.client().list_tags("acme/app"); },
           [&] { fetch_releases(remote.session(), remote.registry.authority() + "/acme"); }})
    CHECK(remote.failing(list).find("the registry answered 404") != std::string::npos);
  remote.registry.script([](const SeenRequest&, int) { return Reaction{}; });
  CHECK_FALSE(remote.client().find_tags("acme/nothing"));
  CHECK(fetch_releases(remote.session(), remote.registry.authority() + "/acme").empty());
}

TEST_CASE("a registry that knows no pages sends all tags at once") {
  Remote remote;
  constexpr int kTags = 100'000;
  std::string body = R"({"tags":["t")";
  for (int i = 0; i < kTags; ++i) body += fmt::format(R"(,"{:064}")", i);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/tags/list") ? Reaction{Reaction::Kind::answer, {200, {}, body + "]}"}, 0} : Reaction{};
  });
  CHECK(remote.client().list_tags("acme/app").size() == kTags + 1);
}

TEST_CASE("what cannot be the JSON that was asked for is named") {
  Remote remote;
  Answer answer;
  remote.registry.script([&](const SeenRequest& request, int) {
    const bool is_asked = request.is("GET", "/tags/list") || request.is("GET", "/manifests/");
    return is_asked ? Reaction{Reaction::Kind::answer, answer, 0} : Reaction{};
  });
  const auto check = [&](const std::string& expected) {
    for (const auto& ask : std::vector<std::function<void()>>{
             [&] { remote.client().list_tags("acme/app"); }, [&] { remote.client().fetch_manifest("acme/app", "v1"); }})
      CHECK(remote.failing(ask).find(expected) != std::string::npos);
  };
  answer = {200, {{"Content-Encoding", "gzip"}}, std::string("\x1f\x8b\x08\0\0", 5)};
  check("it comes with 'Content-Encoding: gzip', which was not asked for");
  answer = {200, {{"Content-Type", "text/html; charset=utf-8"}}, "welcome"};
  check("a web page came in its place; what answers there is no registry");
  answer = {200, {}, "\n<!DOCTYPE html>"};
  check("a web page came in its place");
  // Not an empty list: a clean-up would take all for untagged.
  answer = {200, {}, R"({"name":"acme/app"})"};
  CHECK(remote.failing([&] { remote.client().list_tags("acme/app"); }).find("expected an object with a list 'tags'") !=
        std::string::npos);
  answer = {200, {}, R"({"name":"acme/app","tags":null})"};
  CHECK(remote.client().list_tags("acme/app").empty());
  // A label alone is no fault.
  const oci::Descriptor image = remote.remote_image("acme/app", "v2", {"layer"});
  remote.registry.script([](const SeenRequest&, int) { return Reaction{}; });
  const std::string bytes = remote.client().fetch_manifest("acme/app", "v2").bytes;
  remote.registry.script([&](const SeenRequest& request, int) {
    answer = {200, {{"Content-Encoding", "gzip"}, {"Content-Type", "text/html"}}, bytes};
    return request.is("GET", "/manifests/") ? Reaction{Reaction::Kind::answer, answer, 0} : Reaction{};
  });
  CHECK(remote.client().fetch_manifest("acme/app", "v2").descriptor == image);
}

TEST_CASE("what a list holds that no client can name is told apart and does not stop it") {
  Remote remote;
  remote.registry.script([](const SeenRequest& request, int) {
    if (request.is("GET", "/tags/list"))
      return Reaction{Reaction::Kind::answer, {200, {}, R"({"tags":["v1","1.0+build","a b"]})"}, 0};
    if (request.path == "/v2/_catalog")
      return Reaction{Reaction::Kind::answer, {200, {}, R"({"repositories":["acme/app","Upper"]})"}, 0};
    return Reaction{};
  });
  const TagList tags = remote.client().find_tags("acme/app").value();
  CHECK(tags.tags == std::vector<std::string>{"v1"});
  CHECK(tags.invalid == std::vector<std::string>{"1.0+build", "a b"});
  CHECK(remote.client().list_repositories() == std::vector<std::string>{"acme/app"});
  CHECK(remote.log.text().find("'Upper'") != std::string::npos);
}

TEST_CASE("a signed link that is refused is no matter of a login") {
  Remote remote;
  const std::string digest = remote.registry.add_blob("acme/app", "layer");
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/blobs/")) return Reaction{};
    return Reaction{Reaction::Kind::answer,
                    without_body(307, {{"Location", "http://" + remote.elsewhere.authority() + "/s?_state=x"}}), 0};
  });
  remote.elsewhere.script([](const SeenRequest&, int) { return Reaction{Reaction::Kind::answer, {403, {}, ""}, 0}; });
  const std::string message =
      remote.failing([&] { remote.client().download_blob("acme/app", Remote::blob_of("layer"), remote.store); });
  CHECK(message.find("refuses the link that registry") != std::string::npos);
  CHECK(message.find("kiln login") == std::string::npos);
}

TEST_CASE("what answers by plain http where TLS was expected is named as that, with the setting that allows it") {
  Remote remote;
  remote.elsewhere.options().answers_tls_in_plain = true;
  remote.registry.add_blob("acme/app", "layer");
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/blobs/")) return Reaction{};
    return Reaction{Reaction::Kind::answer,
                    without_body(307, {{"Location", "https://" + remote.elsewhere.authority() + "/blob"}}), 0};
  });
  const std::string message =
      remote.failing([&] { remote.client().download_blob("acme/app", Remote::blob_of("layer"), remote.store); });
  CHECK(message.find("what answers there speaks no TLS, maybe plain http, where plain http is meant") !=
        std::string::npos);
  CHECK(message.find(fmt::format("location = \"{}\", insecure = true", remote.elsewhere.authority())) !=
        std::string::npos);
}

TEST_CASE("docker's config.json is read as docker reads it") {
  TempDir folder;
  CredentialEnvironment environment;
  environment.docker_config = folder.path() / "config.json";
  const auto find = [&](const std::string& text) {
    write_file_atomically(environment.docker_config, text);
    return CredentialStore(environment, {}).find("registry.example", "");
  };
  // base64 without -w0, put in by jq.
  const auto wrapped = find(R"({"auths":{"registry.example":{"auth":"dXNlcjpw\nYXNzd29yZA==\r\n"}}})");
  REQUIRE(wrapped);
  CHECK(wrapped->password == "password");
  const auto twice = find(R"({"HttpHeaders":{},"auths":{"other.example":{"auth":"YTpi"}},"HttpHeaders":{"A":"b"},
                            "auths":{"registry.example":{"auth":"YTpi"},"registry.example":{"auth":"dXNlcjpwYXNzd29yZA=="}}})");
  REQUIRE(twice);
  CHECK(twice->username == "user");
  CHECK(CredentialStore(environment, {}).find("other.example", "")->username == "a");
  CHECK_FALSE(find(R"({"auths":{"registry.example":null}})"));
  CHECK_FALSE(find(R"({"auths":null,"credHelpers":null,"credsStore":null})"));
  CHECK(find(R"({"Auths":{"registry.example":{"Auth":"dXNlcjpwYXNzd29yZA=="}}})")->username == "user");
  CHECK(error_of([&] { find(R"({"auths":{"registry.example":{"auth":"???"}}})"); }) ==
        fmt::format("machine: '{}': 'auth' of 'registry.example' is not base64 of 'user:password'; run 'kiln login "
                    "registry.example'",
                    environment.docker_config.native()));
  CHECK(error_of([&] {
          find("{");
        }).starts_with(fmt::format("machine: '{}': line 1", environment.docker_config.native())));

  // What a login writes keeps the entries of a list that stood there twice.
  write_file_atomically(environment.docker_config,
                        R"({"auths":{"one.example":{"auth":"YTpi"}},"auths":{"two.example":{"auth":"YTpi"}}})");
  Credentials credentials;
  credentials.username = "user";
  credentials.password = "password";
  store_credentials(environment, "registry.example", credentials, {});
  const auto document = nlohmann::json::parse(read_file(environment.docker_config));
  CHECK(document["auths"].size() == 3);
}
