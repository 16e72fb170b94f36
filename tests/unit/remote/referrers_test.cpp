#include "registry/remote/referrers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "registry/oci/manifest.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {

Artifact small_artifact(const std::string& type, const std::string& text) {
  return {type, {{"text/plain", text}}, {}, {{"org.example.text", text}}};
}

HostileOptions with_api(bool api) {
  HostileOptions options;
  options.referrers_api = api;
  return options;
}

nlohmann::json document_at(RegistryClient client, const std::string& key) {
  return nlohmann::json::parse(client.fetch_manifest("acme/app", key).bytes);
}

}  // namespace

TEST_CASE("an artifact is attached and listed with its type and annotations, by the API or the fallback tag") {
  for (const bool api : {true, false}) {
    CAPTURE(api);
    Remote remote(with_api(api));
    RegistryClient client = remote.client();
    const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
    const auto first = attach_referrer(client, "acme/app", subject, small_artifact("application/x-sbom", "one"));
    const auto second = attach_referrer(client, "acme/app", subject, small_artifact("application/x-sign", "two"));
    CHECK(first.refusal.empty());
    CHECK(first.listed_by == (api ? ReferrersWay::api : ReferrersWay::tag));
    auto all = list_referrers(client, "acme/app", subject.digest);
    REQUIRE(all.size() == 2);
    CHECK(std::count(all.begin(), all.end(), first.referrer) == 1);
    CHECK(std::count(all.begin(), all.end(), second.referrer) == 1);
    const auto signatures = list_referrers(client, "acme/app", subject.digest, "application/x-sign");
    REQUIRE(signatures.size() == 1);
    CHECK(signatures[0].annotations == oci::Annotations{{"org.example.text", "two"}});
    CHECK(remote.registry.tag("acme/app", referrers_fallback_tag(subject.digest)).has_value() != api);

    const nlohmann::json manifest = document_at(client, second.referrer.descriptor.digest.str());
    CHECK(manifest["artifactType"] == "application/x-sign");
    CHECK(manifest["subject"] ==
          nlohmann::json{{"mediaType", subject.media_type}, {"digest", subject.digest.str()}, {"size", subject.size}});
    CHECK(manifest["config"]["mediaType"] == oci::media_type::kOciEmpty);
    CHECK(client.fetch_blob_bytes("acme/app", oci::Descriptor{"", oci::sha256_of("{}"), 2, {}, {}, {}}) == "{}");
    CHECK(client.fetch_blob_bytes("acme/app", {"", oci::sha256_of("two"), 3, {}, {}, {}}) == "two");
  }
}

TEST_CASE("an artifact that is attached again is no second entry, and none of its blobs is sent again") {
  for (const bool api : {true, false}) {
    CAPTURE(api);
    Remote remote(with_api(api));
    RegistryClient client = remote.client();
    const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
    const Artifact artifact = small_artifact("application/x-sbom", "one");
    const auto first = attach_referrer(client, "acme/app", subject, artifact);
    const auto tag = remote.registry.tag("acme/app", referrers_fallback_tag(subject.digest));
    const int uploads = remote.registry.count("POST", "/blobs/uploads/");
    const auto again = attach_referrer(client, "acme/app", subject, artifact);
    CHECK(again.referrer == first.referrer);
    CHECK(list_referrers(client, "acme/app", subject.digest).size() == 1);
    CHECK(remote.registry.tag("acme/app", referrers_fallback_tag(subject.digest)) == tag);
    CHECK(remote.registry.count("POST", "/blobs/uploads/") == uploads);
  }
}

TEST_CASE("a registry that refuses a manifest with a subject gets the artifact without, told by the fallback tag") {
  for (const bool api : {true, false}) {
    CAPTURE(api);
    HostileOptions options = with_api(api);
    options.refuses_subjects = true;
    Remote remote(options);
    RegistryClient client = remote.client();
    const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
    const auto attached = attach_referrer(client, "acme/app", subject, small_artifact("application/x-sbom", "one"));
    CHECK(attached.refusal.find("MANIFEST_INVALID: unknown member") != std::string::npos);
    CHECK(attached.listed_by == ReferrersWay::tag);
    const auto listed = list_referrers(client, "acme/app", subject.digest);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0] == attached.referrer);
    const nlohmann::json manifest = document_at(client, attached.referrer.descriptor.digest.str());
    CHECK_FALSE(manifest.contains("subject"));
    CHECK_FALSE(manifest.contains("artifactType"));
    CHECK(manifest["config"]["mediaType"] == "application/x-sbom");
    CHECK_ERROR(
        attach_referrer(client, "acme/app", subject, small_artifact("application/x-sbom", "two"), ReferrersWay::api),
        Category::network, doctest::Contains(api ? "MANIFEST_INVALID" : "has no referrers API"));
  }
}

TEST_CASE("a refusal that has another cause than the subject is an error") {
  Remote remote;
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  for (const char* code : {"MANIFEST_BLOB_UNKNOWN", "DENIED"}) {
    CAPTURE(code);
    const int status = std::string(code) == "DENIED" ? 403 : 400;
    remote.registry.script([&](const SeenRequest& request, int) {
      return request.is("PUT", "/manifests/")
                 ? Reaction{Kind::answer, {status, {}, R"({"errors":[{"code":")" + std::string(code) + "\"}]}"}, 0}
                 : Reaction{};
    });
    const int before = remote.registry.count("PUT", "/manifests/");
    CHECK_ERROR(attach_referrer(client, "acme/app", subject, small_artifact("application/x-sbom", "one")),
                Category::network, doctest::Contains(code));
    CHECK(remote.registry.count("PUT", "/manifests/") == before + 1);
  }
}

TEST_CASE("either way of listing can be forced, and the API only where the registry has it") {
  Remote remote(with_api(true));
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  const Artifact artifact = small_artifact("application/x-sbom", "one");
  CHECK(attach_referrer(client, "acme/app", subject, artifact, ReferrersWay::tag).listed_by == ReferrersWay::tag);
  CHECK(list_referrers(client, "acme/app", subject.digest, "", ReferrersWay::tag).size() == 1);
  CHECK(list_referrers(client, "acme/app", subject.digest, "", ReferrersWay::api).size() == 1);

  Remote old;
  RegistryClient old_client = old.client();
  const oci::Descriptor other = old.remote_image("acme/app", "1", {"layer"});
  CHECK_ERROR(attach_referrer(old_client, "acme/app", other, artifact, ReferrersWay::api), Category::network,
              doctest::Contains("has no referrers API (OCI distribution spec 1.1)"));
  CHECK_ERROR(list_referrers(old_client, "acme/app", other.digest, "", ReferrersWay::api), Category::network,
              doctest::Contains("has no referrers API"));
  CHECK(old.registry.count("POST", "/blobs/uploads/") == 0);
  CHECK(list_referrers(old_client, "acme/app", other.digest).empty());
}

TEST_CASE("the fallback tag is looked at where the API lists nothing") {
  Remote remote(with_api(false));
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  const std::string entry = R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
                            oci::sha256_of("gone").str() + R"(","size":4,"artifactType":"application/x-old"})";
  const std::string index =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" + entry + "," +
      entry + "]}";
  remote.registry.add_manifest("acme/app", referrers_fallback_tag(subject.digest), index, oci::media_type::kOciIndex);
  remote.registry.options().referrers_api = true;
  const auto listed = list_referrers(client, "acme/app", subject.digest);
  REQUIRE(listed.size() == 1);  // twice the same digest is one
  CHECK(listed[0].artifact_type == "application/x-old");
}

TEST_CASE("what others wrote into a fallback tag stays as it is, members unknown to kiln included") {
  Remote remote;
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  const std::string tag = referrers_fallback_tag(subject.digest);
  const nlohmann::json theirs = {{"mediaType", oci::media_type::kOciManifest},
                                 {"digest", oci::sha256_of("theirs").str()},
                                 {"size", 6},
                                 {"data", "dGhlaXJz"},
                                 {"artifactType", "application/x-theirs"},
                                 {"annotations", {{"org.example.by", "somebody"}}}};
  const nlohmann::json before = {{"schemaVersion", 2},
                                 {"mediaType", oci::media_type::kOciIndex},
                                 {"manifests", {theirs}},
                                 {"annotations", {{"org.example.list", "theirs too"}}},
                                 {"org.example.member", {1, 2}}};
  remote.registry.add_manifest("acme/app", tag, before.dump(), oci::media_type::kOciIndex);
  attach_referrer(client, "acme/app", subject, small_artifact("application/x-ours", "one"));
  nlohmann::json after = document_at(client, tag);
  REQUIRE(after["manifests"].size() == 2);
  CHECK(after["manifests"][1]["artifactType"] == "application/x-ours");
  CHECK(after["manifests"][1]["annotations"]["org.example.text"] == "one");
  after["manifests"].erase(1);
  CHECK(after == before);
}

TEST_CASE("pages of referrers are followed, and more than are read on with are refused") {
  HostileOptions options = with_api(true);
  options.referrers_per_page = 2;
  Remote remote(options);
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  for (int i = 0; i < 5; ++i)
    attach_referrer(client, "acme/app", subject, small_artifact("application/x-sbom", std::to_string(i)));
  CHECK(list_referrers(client, "acme/app", subject.digest).size() == 5);

  int page = 0;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/referrers/")) return Reaction{};
    return Reaction{Kind::answer,
                    {200,
                     {{"Content-Type", oci::media_type::kOciIndex},
                      {"Link", "<" + request.path + "?page=" + std::to_string(++page) + ">; rel=\"next\""}},
                     R"({"schemaVersion":2,"manifests":[]})"},
                    0};
  });
  CHECK_ERROR(list_referrers(client, "acme/app", subject.digest), Category::network,
              doctest::Contains("more than 100 pages"));
  CHECK(page == 100);

  std::string entries;
  for (int i = 0; i < 10'001; ++i)
    entries +=
        (i == 0 ? R"({"digest":")" : R"(,{"digest":")") + oci::sha256_of(std::to_string(i)).str() + R"(","size":1})";
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/referrers/")) return Reaction{};
    return Reaction{
        Kind::answer,
        {200, {{"Content-Type", oci::media_type::kOciIndex}}, R"({"schemaVersion":2,"manifests":[)" + entries + "]}"},
        0};
  });
  CHECK_ERROR(list_referrers(client, "acme/app", subject.digest), Category::network,
              doctest::Contains("more than 10000 entries"));
}

TEST_CASE("a page of referrers is read to 4 MiB and no further") {
  Remote remote(with_api(true));
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  std::string body = R"({"schemaVersion":2,"manifests":[{"digest":")" + subject.digest.str() + R"(","size":1}]})";
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/referrers/")) return Reaction{};
    return Reaction{Kind::answer, {200, {{"Content-Type", oci::media_type::kOciIndex}}, body}, 0};
  });
  body.resize(4 << 20, ' ');
  CHECK(list_referrers(client, "acme/app", subject.digest).size() == 1);
  body += ' ';
  CHECK_ERROR(list_referrers(client, "acme/app", subject.digest), Category::network,
              doctest::Contains("the answer is larger than the 4194304 bytes allowed"));
}

TEST_CASE("a fallback tag of more than 4 MiB is not read, and none is written") {
  Remote remote;
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  const std::string tag = referrers_fallback_tag(subject.digest);
  const auto index_of = [](std::size_t bytes) {
    const std::string begin = R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)";
    const std::string middle = R"("manifests":[],"annotations":{"org.example.long":")";
    return begin + middle + std::string(bytes - begin.size() - middle.size() - 3, 'x') + "\"}}";
  };
  const std::string largest = index_of(4 << 20);
  remote.registry.add_manifest("acme/app", tag, largest, oci::media_type::kOciIndex);
  CHECK(list_referrers(client, "acme/app", subject.digest).empty());
  CHECK_ERROR(attach_referrer(client, "acme/app", subject, small_artifact("application/x-sbom", "one")),
              Category::network, doctest::Contains("would have more than 4194304 bytes with 'sha256:"));
  CHECK(remote.registry.tag("acme/app", tag) == oci::sha256_of(largest).str());
  remote.registry.add_manifest("acme/app", tag, index_of((4 << 20) + 1), oci::media_type::kOciIndex);
  CHECK_ERROR(list_referrers(client, "acme/app", subject.digest), Category::network,
              doctest::Contains("the answer is larger than the 4194304 bytes allowed"));
}

TEST_CASE("a list of referrers that is none is refused") {
  Remote remote(with_api(true));
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  std::string body;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/referrers/")) return Reaction{};
    return Reaction{Kind::answer, {200, {{"Content-Type", oci::media_type::kOciIndex}}, body}, 0};
  });
  for (const auto& [text, why] : std::map<std::string, std::string>{
           {"{", "referrers of"},
           {R"({"schemaVersion":2,"manifests":[],"manifests":[]})", "duplicate key 'manifests'"},
           {R"({"schemaVersion":2,"manifests":[{"digest":"sha256:12","size":1}]})", "digest"},
           {R"({"schemaVersion":2,"manifests":[{"digest":")" + subject.digest.str() + R"(","size":-1}]})",
            "expected a number of bytes"}}) {
    body = text;
    CHECK_ERROR(list_referrers(client, "acme/app", subject.digest), Category::network, doctest::Contains(why.c_str()));
  }
  // An image under the fallback tag.
  Remote old;
  const oci::Descriptor image = old.remote_image("acme/app", "1", {"layer"});
  old.remote_image("acme/app", referrers_fallback_tag(image.digest), {"other"});
  RegistryClient old_client = old.client();
  CHECK_ERROR(list_referrers(old_client, "acme/app", image.digest), Category::network,
              doctest::Contains("is not that of an image index"));
  CHECK_ERROR(attach_referrer(old_client, "acme/app", image, small_artifact("application/x-sbom", "one")),
              Category::network, doctest::Contains("is not that of an image index"));
}

TEST_CASE("an artifact without a type or a layer is refused before anything is sent") {
  Remote remote;
  RegistryClient client = remote.client();
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  CHECK_ERROR(attach_referrer(client, "acme/app", subject, {"application/x-sbom", {}}), Category::usage,
              doctest::Contains("at least one layer"));
  CHECK_ERROR(attach_referrer(client, "acme/app", subject, small_artifact("", "one")), Category::usage,
              doctest::Contains("with a type"));
  CHECK(remote.registry.requests().empty());
}
