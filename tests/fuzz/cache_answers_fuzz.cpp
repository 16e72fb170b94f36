#include "base/base64.hpp"
#include "base/temp_dir.hpp"
#include "builder/cache/http_backend.hpp"
#include "builder/cache/registry_backend.hpp"
#include "tests/fuzz/given_answers.hpp"

// A shared cache's side of whole conversations: an http cache and a registry. The first byte says what is asked of it,
// the rest are its answers (given_answers.hpp).
namespace kiln::fuzz {

namespace {

const std::string kKey(64, 'a');
constexpr char kHttpCache[] = "https://cache.example/kiln";

const oci::Descriptor& wanted() {
  static const oci::Descriptor blob{"application/x", oci::sha256_of("{}"), 2, {}, {}, {}};
  return blob;
}

void take_findings(CacheBackend& cache) {
  for (const CacheFinding& finding : cache.find(std::vector{kKey})) {
    if (!finding.entry) continue;
    require(finding.entry->key == kKey, "an entry of another key");
    require(finding.entry->content.size() <= kMaxEntryBytes, "an entry is too large");
    require(held_entry(*finding.entry, 1, std::nullopt).key == kKey, "what is held has another key");
  }
}

void take_blob(CacheBackend& cache) {
  static const TempDir folder;
  static ContentStore store(HomeLayout::open(folder.path() / "home"));
  if (cache.get_blob(wanted(), store)) require(store.read(wanted().digest) == "{}", "another blob is in the store");
  cache.put_blob(wanted(), store, {});
}

void take_holdings(PrunableCache& cache) {
  const CacheHoldings held = cache.holdings();
  require(held.blobs.has_value(), "an http cache takes no blobs away by itself");
  for (const HeldEntry& entry : held.entries) {
    require(oci::Digest::is_valid("sha256:" + entry.key), "the name of an entry is no key");
    cache.remove(entry);
  }
  for (const HeldBlob& blob : *held.blobs) {
    require(oci::Digest::is_valid("sha256:" + blob.name), "the name of a blob is no digest");
    cache.remove(blob);
  }
}

void ask(char what, RemoteSession& session) {
  if (what == 'f' || what == 'b' || what == 'h') {
    HttpBackend cache(kHttpCache, session);
    if (what == 'f') take_findings(cache);
    if (what == 'b') take_blob(cache);
    if (what == 'h') take_holdings(cache);
    return;
  }
  RegistryBackend cache("registry.example/acme/cache", session);
  if (what == 'F') return take_findings(cache);
  if (what == 'B') return take_blob(cache);
  CacheEntry entry;
  entry.key = kKey;
  entry.media_type = what == 'C' ? kClaimEntryType : kStepEntryType;
  entry.content = "content";
  cache.put(entry);
  cache.remove(entry);
}

CacheEntry sample_entry() { return {kKey, kStepEntryType, "content", {wanted()}, "c2lnbmVk"}; }

}  // namespace

void fuzz_one(std::string_view input) { converse(input, ask); }

std::vector<std::string> seeds() {
  const std::string part(kPart);
  const std::string ready = "200\n\n{}" + part;
  const std::string digest = wanted().digest.str();
  const std::string hex(wanted().digest.hex());
  const std::string result = "200\n\n{\"stdoutRaw\":\"" + base64_encoded(serialise(sample_entry())) + "\"}" + part;
  const std::string there = "200\nContent-Length:2\n\n" + part;
  const std::string content = oci::sha256_of("content").str();
  const std::string layers = R"("layers":[{"mediaType":"a/b","size":2,"digest":")" + digest + "\"}]";
  const auto manifest = [&](const std::string& config, const std::string& rest) {
    return "200\nContent-Type:application/vnd.oci.image.manifest.v1+json\n\n{\"schemaVersion\":2,\"mediaType\":"
           "\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"" +
           config + "}," + layers + rest + "}" + part;
  };
  const std::string config = std::string(kStepEntryType) + R"(","size":7,"digest":")" + content + "\"";
  return {
      "f" + result + there,
      "f" + result + "404\n\n",
      "f404\n\n",
      "b" + there + part + "201\n\n",
      "b200\nContent-Length:2\n\n{}" + part + "200\nContent-Length:2\n\n",
      "b200\n\n{" + part + "404\n\n" + part + "507\n\n",
      "h200\n\n[{\"name\":\"" + kKey + R"(","type":"file","mtime":"Tue, 02 Jan 2024 03:04:05 GMT","size":3},)" +
          R"({"name":"x","type":"directory"}])" + part + "200\n\n[{\"name\":\"" + hex +
          R"(","type":"file","mtime":"Tue, 02 Jan 2024 03:04:05 GMT","size":2}])" + part + result + "204\n\n" + part +
          "405\n\n",
      "F" + ready + manifest(config + R"(,"data":"Y29udGVudA==")", R"(,"annotations":{"dev.kiln.signature":"c2ln"})"),
      "F" + ready + manifest(config, "") + "200\nContent-Length:7\n\ncontent",
      "F" + ready +
          manifest(R"(application/vnd.oci.empty.v1+json","size":2,"digest":")" + digest + "\"",
                   R"(,"artifactType":"a/b","annotations":{"dev.kiln.content":"x","dev.kiln.signature":"c2ln"})"),
      "B" + ready + "200\nContent-Length:2\n\n{}" + part + there,
      "B" + ready + "404\n\n" + part + "404\n\n" + part + "202\nLocation:/u/1\n\n" + part + "201\n\n",
      "P" + ready + "404\n\n" + part + "202\nLocation:/u/1\n\n" + part + "201\n\n" + part + "201\n\n" + part +
          "405\n\n",
      "C" + ready + there + "201\n\n" + part + "202\n\n"};
}

std::vector<std::string> words() {
  return {std::string(kPart),
          "200\n\n",
          "201\n\n",
          "202\n",
          "204\n\n",
          "401\n",
          "404\n\n",
          "405\n\n",
          "503\n",
          "Content-Length:2",
          "Content-Type:application/vnd.oci.image.manifest.v1+json",
          "Docker-Content-Digest:",
          "Location:",
          "WWW-Authenticate:Basic realm=\"x\"",
          "\n\n",
          "{\"stdoutRaw\":\"",
          "kiln cache entry 1\n",
          "[{\"name\":\"",
          "\"type\":\"file\"",
          "\"mtime\":\"Tue, 02 Jan 2024 03:04:05 GMT\"",
          "\"size\":2",
          "\"config\":{",
          "\"layers\":[",
          "\"data\":\"",
          "\"annotations\":{",
          "\"artifactType\":",
          "\"dev.kiln.content\":",
          "\"dev.kiln.signature\":",
          "application/vnd.oci.empty.v1+json",
          wanted().digest.str(),
          oci::sha256_of("content").str(),
          "null"};
}

}  // namespace kiln::fuzz
