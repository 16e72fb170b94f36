#include "base/base64.hpp"
#include "registry/remote/github_packages.hpp"
#include "registry/remote/referrers.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/release_record.hpp"
#include "registry/remote/remote_session.hpp"
#include "tests/fuzz/attempt.hpp"

// A registry's side of whole conversations, token server and pages of lists included. The first byte says what is asked
// of it, the rest are its answers one after the other:
//
//   answer = STATUS ( LF FIELD ":" VALUE )* LF LF body; answers are parted by kPart
namespace kiln::fuzz {

namespace {

constexpr std::string_view kPart = "\n====\n";
constexpr std::string_view kPassword = "canary-9b";
constexpr std::size_t kMostRequests = 200;

// Messages must not hold the password, unless the registry itself says it.
class WatchedLog : public Log {
 public:
  explicit WatchedLog(std::string_view input) : is_said_(input.find(kPassword) != std::string_view::npos) {}

  void info(std::string_view message) override { check(message); }
  void warn(std::string_view message) override { check(message); }
  void debug(std::string_view message) override { check(message); }
  void check(std::string_view message) const {
    require(is_said_ || message.find(kPassword) == std::string_view::npos, "a message holds the password");
  }

 private:
  bool is_said_;
};

// Time that passes by waiting alone.
class WaitedClock : public WaitClock {
 public:
  double monotonic_seconds() override { return now_; }
  UnixSeconds unix_seconds() override { return 1'700'000'000 + static_cast<UnixSeconds>(now_); }
  void wait(double seconds, const CancelToken&) override {
    require(seconds >= 0, "a wait of less than nothing");
    now_ += seconds;
  }

 private:
  double now_ = 1000;
};

class GivenAnswers : public HttpClient {
 public:
  explicit GivenAnswers(std::string_view answers) : rest_(answers) {}

  HttpResponse send(const HttpRequest& request, const CancelToken&) override {
    require(++requests_ <= kMostRequests, "requests without an end");
    require(request.url.is_https() || oci::is_loopback_registry(request.url.host), "a request over http");
    for (const auto& [name, value] : request.headers.fields())
      for (const char c : value) require(c != '\r' && c != '\n' && c != '\0', "a field holds what ends it");
    if (rest_.empty()) throw TransportError(TransportFault::no_tls, "there are no more answers", 0, 0);
    const std::size_t end = rest_.find(kPart);
    HttpResponse response = parse(rest_.substr(0, end));
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + kPart.size());
    if (response.body.size() > request.max_body_bytes)
      throw TransportError(TransportFault::too_large, "the answer is too large", 0, 0);
    if (request.on_body && response.status < 300 && response.status >= 200) {
      response.was_stopped = request.on_body(response.body) == AfterPiece::stop;
      response.body.clear();
    }
    return response;
  }

 private:
  static HttpResponse parse(std::string_view text) {
    HttpResponse response;
    response.remote_address = "93.184.216.34";
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    std::string_view head = text.substr(0, end);
    response.body = text.substr(std::min(end + 2, text.size()));
    response.received_bytes = response.body.size();
    const auto line = [&] {
      const std::size_t at = std::min(head.find('\n'), head.size());
      const std::string_view found = head.substr(0, at);
      head.remove_prefix(std::min(at + 1, head.size()));
      return found;
    };
    response.status = 200;
    const std::string_view status = line();
    if (status.size() == 3 && status[0] >= '1' && status[0] <= '5')
      response.status = (status[0] - '0') * 100 + (status[1] & 7) * 10 + (status[2] & 15) % 10;
    while (!head.empty()) {
      const std::string_view field = line();
      const std::size_t colon = field.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view value = field.substr(colon + 1);
      // curl lets none of these through.
      if (value.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) continue;
      response.headers.add(std::string(field.substr(0, colon)), std::string(value));
    }
    return response;
  }

  std::string_view rest_;
  std::size_t requests_ = 0;
};

void ask(char what, RemoteSession& session) {
  static const oci::Digest digest = oci::sha256_of("{}");
  const std::string repository = "acme/app";
  RegistryClient client = session.client({"registry.example", Security::verified});
  switch (what) {
    case 't':
      if (const auto list = client.find_tags(repository))
        for (const std::string& tag : list->tags) require(oci::is_valid_tag(tag), "a tag is none");
      return;
    case 'r':
      for (const std::string& name : client.list_repositories())
        require(oci::Reference::parse_if_valid("registry.example/" + name).has_value(), "a repository is none");
      return;
    case 'f':
      list_referrers(client, repository, digest);
      return;
    case 'm': {
      const FetchedManifest manifest = client.fetch_manifest(repository, "latest");
      require(oci::sha256_of(manifest.bytes) == manifest.descriptor.digest, "a manifest of another digest");
      return;
    }
    case 'h':
      client.resolve(repository, "latest");
      client.find_blob(repository, digest);
      return;
    case 'b':
      require(client.fetch_blob_bytes(repository, {"x", digest, 2, {}, {}, {}}) == "{}", "a blob of another digest");
      return;
    case 'u':
      client.upload_bytes(repository, {"x", digest, 2, {}, {}, {}}, "{}");
      return;
    case 'M':
      client.mount_blob(repository, {"x", digest, 2, {}, {}, {}}, "acme/other");
      client.put_manifest(repository, "latest", R"({"schemaVersion":2,"layers":[]})", oci::media_type::kOciManifest);
      return;
    case 'd':
      client.delete_manifest(repository, digest.str());
      return;
    case 'R':
      fetch_releases(session, "registry.example/acme");
      return;
    default: {
      const GithubPackages packages(session, "https://api.github.example", std::string(kPassword));
      packages.packages("acme");
      packages.versions("acme/app");
    }
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  WatchedLog log(input);
  WaitedClock clock;
  RemoteSettings settings;
  settings.credentials.flags = Credentials{"tester", std::string(kPassword), "", "", "test"};
  settings.parallel_requests = 1;
  RemoteSession session(std::make_unique<GivenAnswers>(input.substr(1)), settings, log, CancelToken(), clock);
  try {
    ask(input[0], session);
  } catch (const Error& error) {
    require(error.category() == Category::network, "another category");
    log.check(error.message());
  }
}

std::vector<std::string> seeds() {
  const std::string part(kPart);
  const std::string challenge =
      "401\nWWW-Authenticate:Bearer "
      "realm=\"https://auth.example/token\",service=\"r\",scope=\"registry:catalog:*\"\n\n" +
      part;
  const std::string token = "200\n\n{\"token\":\"abc\",\"expires_in\":300}" + part;
  const std::string ready = "200\n\n{}" + part;
  const std::string digest = oci::sha256_of("{}").str();
  const std::string manifest =
      R"({"schemaVersion":2,"config":{"mediaType":"a/b","digest":")" + digest + R"(","size":2},"layers":[]})";
  return {"t" + ready +
              "200\nLink:</v2/acme/app/tags/list?last=b&n=2>; "
              "rel=\"next\"\n\n{\"name\":\"acme/app\",\"tags\":[\"a\",\"b\"]}" +
              part + "200\n\n{\"tags\":[\"c\",\"-no\"]}",
          "t" + challenge + token + ready + "200\n\n{\"tags\":null}",
          "t401\nWWW-Authenticate:Basic realm=\"x\"\n\n" + part + ready + "200\n\n{\"tags\":[\"x\"]}",
          "r" + ready + "400\n\n{\"errors\":[{\"code\":\"PAGINATION_NUMBER_INVALID\"}]}" + part +
              "200\n\n{\"repositories\":[\"acme/app\",\"A\"]}",
          "f" + ready +
              "200\nContent-Type:application/vnd.oci.image.index.v1+json\n\n{\"schemaVersion\":2,\"manifests\":[{"
              "\"mediaType\":\"a/b\",\"digest\":\"" +
              digest + "\",\"size\":2,\"artifactType\":\"c/d\"}]}",
          "f" + ready + "404\n\n" + part + "404\n\n",
          "m" + ready + "200\nContent-Type:application/vnd.oci.image.manifest.v1+json\n\n" + manifest,
          "m" + ready + "307\nLocation:https://cdn.example/x?sig=1\n\n" + part + "200\n\n" + manifest,
          "h" + ready + "200\nDocker-Content-Digest:" + digest +
              "\nContent-Length:2\nContent-Type:application/vnd.oci.image.index.v1+json\n\n" + part + "405\n\n" + part +
              "206\nContent-Range:bytes 0-0/2\n\n{",
          "b" + ready + "503\nRetry-After:3\n\n" + part + "200\nContent-Length:2\n\n{}",
          "u" + ready + "202\nLocation:/v2/acme/app/blobs/uploads/1?s=2\n\n" + part + "201\n\n",
          "u" + ready + "202\nLocation:/u/1\nOCI-Chunk-Min-Length:5\n\n" + part + "413\n\n" + part +
              "202\nLocation:/u/2\nRange:0-1\n\n",
          "M" + ready + "202\nLocation:/u\n\n" + part + "204\n\n" + part + "201\nDocker-Content-Digest:x\n\n",
          "d" + ready + "202\n\n",
          "R" + ready + "200\n\n{\"tags\":[\"v1\"]}" + part +
              "200\nContent-Type:application/vnd.oci.image.manifest.v1+json\n\n" + manifest,
          "g200\n\n[{\"name\":\"app\"}]" + part +
              "200\nLink:<https://api.github.example/next>; rel=\"next\"\n\n[{\"id\":1,\"name\":\"" + digest +
              "\",\"created_at\":\"2026-01-01T00:00:00Z\",\"metadata\":{\"container\":{\"tags\":[\"a\"]}}}]" + part +
              "403\nX-RateLimit-Remaining:0\nX-RateLimit-Reset:1700001000\n\n{\"message\":\"x\"}" + part + "200\n\n[]"};
}

std::vector<std::string> words() {
  return {std::string(kPart),
          "200\n\n",
          "206\n",
          "202\n",
          "201\n",
          "301\n",
          "307\n",
          "401\n",
          "403\n",
          "404\n",
          "405\n",
          "416\n",
          "429\n",
          "503\n",
          "Location:",
          "Link:",
          "WWW-Authenticate:",
          "Bearer realm=",
          "Basic realm=",
          "scope=",
          "service=",
          "Retry-After:",
          "Content-Type:",
          "Content-Range:bytes ",
          "Range:",
          "Docker-Content-Digest:",
          "OCI-Subject:",
          "OCI-Filters-Applied:",
          "Content-Length:",
          "https://",
          "http://127.0.0.1/",
          "//",
          "\n\n",
          "{\"token\":",
          "{\"tags\":[",
          "{\"errors\":[{\"code\":",
          "rel=\"next\"",
          "\"access_token\":",
          "\"refresh_token\":",
          "\"expires_in\":",
          "null",
          "application/vnd.oci.image.index.v1+json"};
}

}  // namespace kiln::fuzz
