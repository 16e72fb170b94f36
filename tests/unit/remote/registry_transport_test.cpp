#include "registry/remote/registry_transport.hpp"

#include <set>

#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {

HostileOptions with_tokens() {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  return options;
}

// A registry at a public name over https, without a network: answers come from a function.
class FakeHttp : public HttpClient {
 public:
  using Answering = std::function<HttpResponse(const HttpRequest&)>;
  explicit FakeHttp(Answering answering) : answering_(std::move(answering)) {}
  HttpResponse send(const HttpRequest& request, const CancelToken&) override {
    HttpResponse response = answering_(request);
    if (response.remote_address.empty()) response.remote_address = "93.184.216.34";
    if (request.on_body && response.status < 300) {
      response.was_stopped = request.on_body(response.body) == AfterPiece::stop;
      response.body.clear();
    }
    return response;
  }

 private:
  Answering answering_;
};

HttpResponse response(int status, std::vector<std::pair<std::string, std::string>> headers = {},
                      std::string body = {}) {
  HttpResponse result;
  result.status = status;
  for (auto& [name, value] : headers) result.headers.add(name, value);
  result.body = std::move(body);
  return result;
}

struct PublicRegistry {
  explicit PublicRegistry(FakeHttp::Answering answering, const char* registries = "") {
    settings.registries = RegistriesConf::parse(registries, "registries.conf");
    settings.credentials.flags = Credentials{"tester", "canary-9b", "", "", "test"};
    session =
        std::make_unique<RemoteSession>(std::make_unique<FakeHttp>(std::move(answering)), settings, log, cancel, clock);
  }
  RegistryClient client() { return session->client({"registry.example", Security::verified}); }
  std::string failing(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      CHECK(error.message().find("canary") == std::string::npos);
      return error.message();
    }
    FAIL("expected an error");
    return {};
  }
  RemoteSettings settings;
  RecordingLog log;
  CancelToken cancel;
  FakeClock clock;
  std::unique_ptr<RemoteSession> session;
};

}  // namespace

TEST_CASE("a registry with tokens gets one for each repository, and uses it again") {
  Remote remote(with_tokens());
  remote.remote_image("acme/app", "1", {"layer"});
  for (int i = 0; i < 5; ++i) CHECK(remote.client().resolve("acme/app", "1").has_value());
  CHECK(remote.registry.tokens_issued() == 1);
  const auto requests = remote.registry.requests();
  const auto token =
      std::find_if(requests.begin(), requests.end(), [](const SeenRequest& r) { return r.path == "/token"; });
  REQUIRE(token != requests.end());
  CHECK(token->query.find("service=hostile") != std::string::npos);
  CHECK(token->query.find("scope=repository%3Aacme%2Fapp%3Apull") != std::string::npos);
}

TEST_CASE("a token that is refused is renewed once") {
  Remote remote(with_tokens());
  remote.remote_image("acme/app", "1", {"layer"});
  CHECK(remote.client().resolve("acme/app", "1").has_value());
  remote.registry.expire_tokens();
  CHECK(remote.client().resolve("acme/app", "1").has_value());
  CHECK(remote.registry.tokens_issued() == 2);
}

TEST_CASE("a token is renewed before it runs out") {
  HostileOptions options = with_tokens();
  options.token_lifetime_seconds = 100;
  Remote remote(options);
  remote.remote_image("acme/app", "1", {"layer"});
  remote.client().resolve("acme/app", "1");
  remote.clock.advance(80);
  remote.client().resolve("acme/app", "1");
  CHECK(remote.registry.tokens_issued() == 1);
  remote.clock.advance(10);
  remote.client().resolve("acme/app", "1");
  CHECK(remote.registry.tokens_issued() == 2);
  CHECK(remote.registry.count("HEAD", "/manifests/") == 4);  // the first was asked to log in
}

TEST_CASE("pushing and mounting work with tokens") {
  Remote remote(with_tokens());
  const std::string shared = bytes_of(5000);
  const std::vector<PushRequest> requests = {{remote.image({shared, "a"}), {remote.reference("acme/a:1")}},
                                             {remote.image({shared, "b"}), {remote.reference("acme/b:1")}}};
  for (const PushOutcome& outcome : push_images(remote.session(), remote.store, requests))
    CHECK_FALSE(outcome.error.has_value());
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("an identity token is exchanged by POST and stands in no query") {
  Remote remote(with_tokens());
  remote.remote_image("acme/app", "1", {"layer"});
  remote.settings.credentials.flags = Credentials{"", "", remote.registry.options().password, "", "test"};
  CHECK(remote.client().resolve("acme/app", "1").has_value());
  CHECK(remote.registry.count("POST", "/token") == 1);
  for (const SeenRequest& request : remote.registry.requests())
    CHECK(request.query.find("canary") == std::string::npos);
}

TEST_CASE("an identity token is not sent a second time by GET, and a password to nobody who does not ask for it") {
  Remote exchanging(with_tokens());
  exchanging.settings.credentials.flags = Credentials{"", "", exchanging.registry.options().password, "", "test"};
  exchanging.registry.script([](const SeenRequest& request, int) {
    return request.is("POST", "/token") ? Reaction{Reaction::Kind::answer, {404, {}, ""}, 0} : Reaction{};
  });
  CHECK(exchanging.failing([&] { exchanging.client().resolve("acme/app", "1"); }).find("404") != std::string::npos);
  CHECK(exchanging.registry.count("GET", "/token") == 0);

  Remote silent;
  silent.registry.script([](const SeenRequest&, int) { return Reaction{Reaction::Kind::answer, {401, {}, ""}, 0}; });
  CHECK(silent.failing([&] { silent.client().resolve("acme/app", "1"); }).find("answered 401") != std::string::npos);
  for (const SeenRequest& request : silent.registry.requests()) CHECK(request.header("Authorization").empty());
}

TEST_CASE("basic authentication is used where it is asked for") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::basic;
  Remote remote(options);
  remote.remote_image("acme/app", "1", {"layer"});
  CHECK(remote.client().resolve("acme/app", "1").has_value());
}

TEST_CASE("wrong credentials are named with where they came from") {
  for (const auto auth : {HostileOptions::Auth::basic, HostileOptions::Auth::token}) {
    HostileOptions options;
    options.auth = auth;
    Remote remote(options);
    remote.settings.credentials.flags = Credentials{"tester", "wrong-canary", "", "", "DOCKER_AUTH_CONFIG"};
    const std::string message = remote.failing([&] { remote.client().resolve("acme/app", "1"); });
    CHECK(message.find("as 'tester' (from DOCKER_AUTH_CONFIG)") != std::string::npos);
    CHECK(message.find("kiln login") != std::string::npos);
    CHECK(message.find("canary") == std::string::npos);
  }
}

TEST_CASE("a redirect to another host is followed without the authorization") {
  Remote remote(with_tokens());
  const std::string bytes = bytes_of(100'000);
  const std::string digest = remote.elsewhere.add_blob("storage", bytes);
  remote.registry.add_blob("acme/app", bytes);
  remote.registry.script([&](const SeenRequest& request, int) {
    const bool blob = request.is("GET", "/blobs/") && !request.header("Authorization").empty();
    return blob ? Reaction{Kind::answer,
                           {307,
                            {{"Location", "http://" + remote.elsewhere.authority() + "/v2/storage/blobs/" + digest +
                                              "?sig=canary-signature"}},
                            ""},
                           0}
                : Reaction{};
  });
  remote.client().download_blob("acme/app", Remote::blob_of(bytes), remote.store);
  CHECK(remote.store.has(oci::Digest::parse(digest)));
  CHECK(remote.elsewhere.count("GET", "/blobs/") == 1);
  for (const SeenRequest& request : remote.elsewhere.requests()) CHECK(request.header("Authorization").empty());
}

TEST_CASE("an upload location at another host gets the bytes and no authorization") {
  Remote remote(with_tokens());
  const std::string bytes = bytes_of(50'000);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("POST", "/uploads/") && !request.header("Authorization").empty()
               ? Reaction{Kind::answer, {202, {{"Location", "http://" + remote.elsewhere.authority() + "/put"}}, ""}, 0}
               : Reaction{};
  });
  remote.elsewhere.script([](const SeenRequest& request, int) {
    return request.method == "PUT" ? Reaction{Kind::answer, {201, {}, ""}, 0} : Reaction{};
  });
  const oci::Descriptor blob = remote.store.put(bytes, oci::media_type::kOciLayerGzip);
  remote.client().upload_blob("acme/app", blob, *stored_blob(remote.store, blob));
  CHECK(remote.elsewhere.count("PUT", "/put") == 1);
  for (const SeenRequest& request : remote.elsewhere.requests()) CHECK(request.header("Authorization").empty());
}

TEST_CASE("redirects in a circle end") {
  Remote remote;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/manifests/") ? Reaction{Kind::answer, {302, {{"Location", request.path}}, ""}, 0}
                                            : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); }).find("redirected more than") !=
        std::string::npos);
  CHECK(remote.registry.count("GET", "/manifests/") == 11);
}

TEST_CASE("a token server's redirect is not followed") {
  HostileOptions options = with_tokens();
  Remote remote(options);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.path == "/token"
               ? Reaction{Kind::answer,
                          {302, {{"Location", "http://" + remote.elsewhere.authority() + "/token"}}, ""},
                          0}
               : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().resolve("acme/app", "1"); }).find("redirect") != std::string::npos);
  CHECK(remote.elsewhere.requests().empty());
}

TEST_CASE("a public registry cannot lead to private addresses") {
  for (const std::string target : {"https://127.0.0.1/x", "https://10.0.0.1/x", "https://169.254.169.254/latest",
                                   "https://[::1]/x", "https://[::ffff:192.168.1.1]/x"}) {
    PublicRegistry registry([&](const HttpRequest& request) {
      CHECK(request.url.host == "registry.example");
      return request.url.path == "/v2/" ? response(200) : response(307, {{"Location", target}});
    });
    CHECK(registry.failing([&] { registry.client().fetch_manifest("acme/app", "1"); }).find("no business with") !=
          std::string::npos);
  }
}

TEST_CASE("names that a public registry leads to may only turn out to be public addresses") {
  PublicRegistry registry([&](const HttpRequest& request) {
    if (request.url.host == "registry.example") return response(307, {{"Location", "https://storage.example/x"}});
    CHECK(request.most_private == AddressClass::public_network);
    return response(404);
  });
  registry.failing([&] { registry.client().fetch_manifest("acme/app", "1"); });
}

TEST_CASE("a registry on a private address may lead to others like it, and not to loopback") {
  PublicRegistry registry([&](const HttpRequest& request) {
    HttpResponse answer = response(307, {{"Location", "https://storage.example/x"}});
    answer.remote_address = "10.1.2.3";
    if (request.url.host == "registry.example") return answer;
    CHECK(request.most_private == AddressClass::private_network);
    return response(404);
  });
  registry.failing([&] { registry.client().fetch_manifest("acme/app", "1"); });
}

TEST_CASE("an https registry cannot lead to http, by redirect, location or realm") {
  PublicRegistry redirect([&](const HttpRequest& request) {
    CHECK(request.url.is_https());
    return response(307, {{"Location", "http://registry.example/x"}});
  });
  CHECK(redirect.failing([&] { redirect.client().fetch_manifest("acme/app", "1"); }).find("not encrypted") !=
        std::string::npos);

  PublicRegistry location([&](const HttpRequest& request) {
    CHECK(request.url.is_https());
    return response(202, {{"Location", "http://registry.example/x?_state=1"}});
  });
  const std::string bytes = "x";
  const std::string message =
      location.failing([&] { location.client().upload_bytes("acme/app", Remote::blob_of(bytes), bytes); });
  CHECK(message.find("not encrypted") != std::string::npos);
  CHECK(message.find("_state") == std::string::npos);

  PublicRegistry realm([&](const HttpRequest& request) {
    CHECK(request.url.is_https());
    return response(401, {{"WWW-Authenticate", "Bearer realm=\"http://registry.example/token\""}});
  });
  CHECK(realm.failing([&] { realm.client().resolve("acme/app", "1"); }).find("not encrypted") != std::string::npos);
}

TEST_CASE("http is spoken with an insecure registry alone, after https") {
  for (const Security security : {Security::verified, Security::insecure}) {
    std::vector<std::string> asked;
    PublicRegistry registry([&](const HttpRequest& request) {
      asked.push_back(request.url.scheme);
      if (request.url.is_https()) throw TransportError(TransportFault::connect, "nobody answers at 443", 0, 0);
      return request.url.path == "/v2/" ? response(200) : response(404);
    });
    RegistryClient client = registry.session->client({"registry.example", security});
    if (security == Security::verified) {
      CHECK(registry.failing([&] { client.resolve("acme/app", "1"); }).find("nobody answers") != std::string::npos);
      CHECK(std::count(asked.begin(), asked.end(), "http") == 0);
    } else {
      CHECK_FALSE(client.resolve("acme/app", "1").has_value());
      CHECK(asked.front() == "https");
      CHECK(asked.back() == "http");
    }
  }
}

TEST_CASE("a realm on a private address gets no credentials from a public registry's client") {
  PublicRegistry registry([&](const HttpRequest& request) {
    CHECK(request.url.host == "registry.example");
    return response(401, {{"WWW-Authenticate", "Bearer realm=\"https://10.0.0.7/token\""}});
  });
  CHECK(registry.failing([&] { registry.client().resolve("acme/app", "1"); }).find("no business with") !=
        std::string::npos);
}

TEST_CASE("credentials go to the realm that an https registry names and to nobody else") {
  std::vector<std::string> with_credentials;
  PublicRegistry registry([&](const HttpRequest& request) {
    if (request.headers.find("Authorization")) with_credentials.push_back(request.url.host);
    if (request.url.host == "auth.example") return response(200, {}, R"({"token":"abc","expires_in":300})");
    if (!request.headers.find("Authorization")) {
      return response(401, {{"WWW-Authenticate", "Bearer realm=\"https://auth.example/token\",service=\"r\""}});
    }
    return response(307, {{"Location", "https://cdn.example/x"}});
  });
  registry.failing([&] { registry.client().fetch_manifest("acme/app", "1"); });
  for (const std::string& host : with_credentials) CHECK(host != "cdn.example");
  CHECK(std::find(with_credentials.begin(), with_credentials.end(), "auth.example") != with_credentials.end());
}

TEST_CASE("insecure goes by a registry's own place, and for a host that it led to by an entry of the host alone") {
  // Which hosts were asked without looking at their certificates.
  const auto unchecked = [](const char* registries, Security own) {
    std::set<std::string> hosts;
    PublicRegistry registry(
        [&](const HttpRequest& request) {
          if (request.tls == TlsCheck::none) hosts.insert(request.url.host);
          if (request.url.host == "auth.example") return response(200, {}, R"({"token":"abc","expires_in":300})");
          if (request.url.path == "/v2/") return response(200);
          if (!request.headers.find("Authorization")) {
            return response(401, {{"WWW-Authenticate", "Bearer realm=\"https://auth.example/token\",service=\"r\""}});
          }
          return response(307, {{"Location", "https://cdn.example/x"}});
        },
        registries);
    registry.failing([&] { registry.session->client({"registry.example", own}).fetch_manifest("acme/app", "1"); });
    return hosts;
  };
  const char* paths =
      "[[registry]]\nlocation = \"registry.example/dev\"\ninsecure = true\n"
      "[[registry]]\nlocation = \"auth.example/dev\"\ninsecure = true\n"
      "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"cdn.example/hub\"\ninsecure = true\n";
  CHECK(unchecked(paths, Security::verified).empty());
  CHECK(unchecked(paths, Security::insecure) == std::set<std::string>{"registry.example"});
  const char* hosts =
      "[[registry]]\nlocation = \"registry.example\"\ninsecure = true\n"
      "[[registry]]\nlocation = \"registry.example/acme\"\n"
      "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"auth.example\"\ninsecure = true\n";
  CHECK(unchecked(hosts, Security::verified) == std::set<std::string>{"auth.example"});
}

TEST_CASE("a throttling registry is obeyed, however it says so") {
  struct Case {
    Answer answer;
    double seconds;
  };
  const Case cases[] = {
      {{429, {{"Retry-After", "7"}}, ""}, 7},
      {{429, {{"Retry-After", "Tue, 14 Nov 2023 22:30:20 GMT"}}, ""}, 20},
      {{403, {}, R"({"errors":[{"code":"DENIED","message":"secondary rate limit, retry-after: 12.5s"}]})"}, 12.5},
      {{429, {}, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 44.204ms, allowed: 44000/minute"}]})"},
       0.044},
      {{503, {{"Retry-After", "3"}}, ""}, 3},
  };
  for (const Case& entry : cases) {
    Remote remote;
    remote.remote_image("acme/app", "1", {"layer"});
    bool answered = false;
    remote.registry.script([&](const SeenRequest& request, int) {
      if (answered || !request.is("GET", "/manifests/")) return Reaction{};
      answered = true;
      return Reaction{Kind::answer, entry.answer, 0};
    });
    const double before = remote.clock.monotonic_seconds();
    remote.client().fetch_manifest("acme/app", "1");
    CHECK(answered);
    CHECK(remote.clock.monotonic_seconds() - before >= entry.seconds - 1e-9);
  }
}

TEST_CASE("a HEAD that is refused with 403 is explained by a GET: throttled, or not welcome") {
  for (const bool throttled : {true, false}) {
    Remote remote;
    remote.remote_image("acme/app", "1", {"layer"});
    int left = throttled ? 2 : 100;
    const std::string message =
        throttled ? "You have exceeded a secondary rate limit, retry-after: 3s" : "denied: no business here";
    remote.registry.script([&](const SeenRequest& request, int) {
      if (left == 0 || request.path.find("/manifests/") == std::string::npos) return Reaction{};
      --left;
      return Reaction{Kind::answer, {403, {}, R"({"errors":[{"code":"DENIED","message":")" + message + R"("}]})"}, 0};
    });
    if (throttled) {
      const double before = remote.clock.monotonic_seconds();
      CHECK(remote.client().resolve("acme/app", "1").has_value());
      CHECK(remote.clock.monotonic_seconds() - before >= 3);
    } else {
      CHECK(remote.failing([&] { remote.client().resolve("acme/app", "1"); }).find("no business here") !=
            std::string::npos);
    }
    CHECK(remote.registry.count("GET", "/manifests/") == 1);
  }
}

TEST_CASE("a pause that is too long is an error that says how long") {
  Remote remote;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/manifests/") ? Reaction{Kind::answer, {429, {{"Retry-After", "3600"}}, ""}, 0}
                                            : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); }).find("try again in 60m00s") !=
        std::string::npos);
  CHECK(RetryPolicy().max_wait_seconds == 300);
}

TEST_CASE("faults that may pass are met again, others are not") {
  for (const int status : {408, 500, 502, 503, 504}) {
    Remote remote;
    remote.remote_image("acme/app", "1", {"layer"});
    int left = 3;
    remote.registry.script([&](const SeenRequest& request, int) {
      return request.is("HEAD", "/manifests/") && left-- > 0 ? Reaction{Kind::answer, {status, {}, ""}, 0} : Reaction{};
    });
    CHECK(remote.client().resolve("acme/app", "1").has_value());
  }
  for (const int status : {400, 403, 505}) {
    Remote remote;
    remote.registry.script([&](const SeenRequest& request, int) {
      return request.is("HEAD", "/manifests/") ? Reaction{Kind::answer, {status, {}, ""}, 0} : Reaction{};
    });
    remote.failing([&] { remote.client().resolve("acme/app", "1"); });
    CHECK(remote.registry.count("HEAD", "/manifests/") == 1);
  }
}

TEST_CASE("resets and truncated answers are met again") {
  for (const Kind kind : {Kind::reset, Kind::serve_then_reset, Kind::truncate, Kind::stall}) {
    Remote remote;
    if (kind == Kind::stall) remote.http = impatient_http();
    remote.remote_image("acme/app", "1", {"layer"});
    bool done = false;
    remote.registry.script([&](const SeenRequest& request, int) {
      if (done || !request.is("GET", "/manifests/")) return Reaction{};
      done = true;
      return Reaction{kind, {}, 10};
    });
    CHECK_FALSE(remote.client().fetch_manifest("acme/app", "1").bytes.empty());
  }
}

TEST_CASE("a registry that is not there is an error soon, and names no credential") {
  std::string authority;
  {
    HostileRegistry gone;
    authority = gone.authority();
  }
  Remote remote;
  const std::string message = remote.failing([&] {
    remote.session().client({authority, Security::verified}).resolve("acme/app", "1");
  });
  CHECK(message.find(authority) != std::string::npos);
  CHECK(remote.clock.waits().size() <= 3);
}

TEST_CASE("a signed redirect never shows in an error") {
  Remote remote;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/manifests/")
               ? Reaction{Kind::answer, {307, {{"Location", "/elsewhere?_state=canary-7f3a91"}}, ""}, 0}
               : Reaction{};
  });
  remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); });
}
