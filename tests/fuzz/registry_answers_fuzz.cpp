#include "registry/remote/github_packages.hpp"
#include "registry/remote/referrers.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/release_record.hpp"
#include "tests/fuzz/given_answers.hpp"

// A registry's side of whole conversations, token server and pages of lists included. The first byte says what is asked
// of it, the rest are its answers (given_answers.hpp).
namespace kiln::fuzz {

namespace {

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

void fuzz_one(std::string_view input) { converse(input, ask); }

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
