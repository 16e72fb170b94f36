#include "builder/attest/provenance.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace kiln;
using nlohmann::json;

namespace {

const std::string kCommit = "sha1:" + std::string(40, 'c');

ProvenanceFacts facts() {
  ProvenanceFacts facts;
  facts.dockerfile = "docker/Dockerfile";
  facts.target = "app";
  facts.image = "memory-fusion-hub";
  facts.profile = "pc2";
  facts.platform = "linux/amd64";
  facts.builder_platform = "linux/arm64";
  facts.args = {{"VERSION", "1.2"}};
  facts.contexts = {{"lib", {}},
                    {"base", {"pkg:docker/alpine@3?platform=linux%2Famd64", oci::sha256_of("base").str()}}};
  facts.source = {"https://github.com/acme/app", kCommit};
  facts.secrets = {"npm"};
  facts.ssh = {"default"};
  facts.materials = {{"https://acme.internal/file.tar", oci::sha256_of("file").str()}};
  facts.steps = {{"", "stage-0", "Dockerfile", 3, "RUN make", "beef", true, "local", {oci::sha256_of("layer")}}};
  facts.kiln_version = "1.2.3";
  facts.started = 1000;
  facts.finished = 1060;
  return facts;
}

json parsed(const ProvenanceFacts& facts, ProvenanceMode mode) {
  ProvenanceWish wish;
  wish.mode = mode;
  return json::parse(provenance_json(facts, wish));
}

}  // namespace

TEST_CASE("a provenance of mode=min is pinned") {
  ProvenanceWish wish;
  wish.mode = ProvenanceMode::min;
  const std::string base(oci::sha256_of("base").hex());
  const std::string file(oci::sha256_of("file").hex());
  const std::string commit(40, 'c');
  CHECK(provenance_json(facts(), wish) ==
        R"({"buildDefinition":{"buildType":"https://kiln.dev/build/v1","externalParameters":{"configSource":{)"
        R"("uri":"https://github.com/acme/app","digest":{"sha1":")" +
            commit + R"("},"path":"docker/Dockerfile"},"request":{"target":"app","image":"memory-fusion-hub",)" +
            R"("profile":"pc2","platform":"linux/amd64","contexts":[{"name":"base",)" +
            R"("uri":"pkg:docker/alpine@3?platform=linux%2Famd64","digest":{"sha256":")" + base +
            R"("}},{"name":"lib"}]}},"internalParameters":{"builderPlatform":"linux/arm64"},"resolvedDependencies":[)" +
            R"({"uri":"https://acme.internal/file.tar","digest":{"sha256":")" + file +
            R"("}},{"uri":"https://github.com/acme/app","digest":{"sha1":")" + commit +
            R"("}},{"uri":"pkg:docker/alpine@3?platform=linux%2Famd64","digest":{"sha256":")" + base +
            R"("}}]},"runDetails":{"builder":{"id":"https://kiln.dev/builder","version":{"kiln":"1.2.3"}},)" +
            R"("metadata":{}}})");
}

TEST_CASE("arguments, secrets, steps and times are told by mode=max alone") {
  const json min = parsed(facts(), ProvenanceMode::min);
  const json max = parsed(facts(), ProvenanceMode::max);
  const json& request = max["buildDefinition"]["externalParameters"]["request"];
  CHECK(request["args"] == json{{"VERSION", "1.2"}});
  CHECK(request["secrets"] == json::array({{{"id", "npm"}}}));
  CHECK(request["ssh"] == json::array({{{"id", "default"}}}));
  CHECK(max["buildDefinition"]["internalParameters"]["steps"] ==
        json::array({{{"stage", "stage-0"},
                      {"file", "Dockerfile"},
                      {"line", 3},
                      {"text", "RUN make"},
                      {"key", "beef"},
                      {"outcome", "hit"},
                      {"from", "local"},
                      {"diffIds", {oci::sha256_of("layer").str()}}}}));
  CHECK(max["runDetails"]["metadata"] ==
        json{{"startedOn", "1970-01-01T00:16:40Z"}, {"finishedOn", "1970-01-01T00:17:40Z"}});
  for (const char* key : {"args", "secrets", "ssh"})
    CHECK_FALSE(min["buildDefinition"]["externalParameters"]["request"].contains(key));
  CHECK_FALSE(min["buildDefinition"]["internalParameters"].contains("steps"));
}

TEST_CASE("what a RUN fetched is told, and that of another it is not known") {
  ProvenanceFacts told = facts();
  told.network = "incomplete";
  told.steps.push_back(told.steps[0]);
  told.steps[0].is_run = told.steps[1].is_run = true;
  told.steps[1].network.emplace();
  told.steps[1].network->add(Download{"http://a/1", "GET", 200, 3, oci::sha256_of("abc")});
  const json internal = parsed(told, ProvenanceMode::max)["buildDefinition"]["internalParameters"];
  CHECK(internal["network"] == "incomplete");
  CHECK(internal["steps"][0]["network"] == "not recorded");
  CHECK(internal["steps"][1]["network"]["downloads"][0]["digest"] == oci::sha256_of("abc").str());
  CHECK_FALSE(parsed(facts(), ProvenanceMode::max)["buildDefinition"]["internalParameters"].contains("network"));
}

TEST_CASE("the builder's name and the promise to be reproducible are the caller's") {
  ProvenanceWish wish;
  wish.mode = ProvenanceMode::min;
  wish.builder_id = "https://ci.acme.internal/run/7";
  wish.is_reproducible = true;
  const json details = json::parse(provenance_json(facts(), wish))["runDetails"];
  CHECK(details["builder"]["id"] == "https://ci.acme.internal/run/7");
  CHECK(details["metadata"] == json{{"kiln_reproducible", true}});
}

TEST_CASE("a commit, a version, times, the machine and what was a hit make no other provenance, all else does") {
  ProvenanceWish wish;
  ProvenanceFacts later = facts();
  later.source.digest = "sha1:" + std::string(40, 'd');
  later.kiln_version = "2";
  later.builder_platform = "linux/amd64";
  later.started = 5;
  later.steps.clear();
  ProvenanceWish elsewhere = wish;
  elsewhere.builder_id = "https://ci.acme.internal/run/8";
  CHECK(lasting_provenance(later, elsewhere) == lasting_provenance(facts(), wish));
  ProvenanceFacts other = facts();
  other.args["VERSION"] = "1.3";
  CHECK(lasting_provenance(other, wish) != lasting_provenance(facts(), wish));
  other = facts();
  other.materials.insert({"pkg:deb/debian/bash@5", oci::sha256_of("bash").str()});
  CHECK(lasting_provenance(other, wish) != lasting_provenance(facts(), wish));
}
