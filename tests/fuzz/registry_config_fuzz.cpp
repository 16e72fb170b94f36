#include <nlohmann/json.hpp>

#include "registry/remote/credentials.hpp"
#include "registry/remote/docker_config.hpp"
#include "registry/remote/registries_conf.hpp"
#include "tests/fuzz/attempt.hpp"

// registries.conf, docker's config.json and what credential helpers answer. The first byte says which of them the rest
// is.
namespace kiln::fuzz {

namespace {

void take_registries_conf(std::string_view text) {
  may_refuse(Category::usage, [&] {
    RegistriesConf conf = RegistriesConf::parse(text, "registries.conf");
    conf.merge(RegistriesConf::parse("[[registry]]\nlocation = 'registry.example'\n", "other"));
    for (const char* image : {"docker.io/library/busybox:1", "registry.example/acme/app:1",
                              "a.b:5000/c@sha256:0000000000000000000000000000000000000000000000000000000000000000"}) {
      may_refuse(Category::network, [&] {
        const oci::Reference reference = oci::Reference::parse(image);
        const std::vector<PullPlace> places = conf.pull_places(reference);
        require(!places.empty() && !places.back().is_mirror, "an image is to be had nowhere but at mirrors");
        require(!conf.push_place(reference).is_mirror, "an image is pushed to a mirror");
      });
    }
    conf.is_insecure_host("registry.example");
  });
}

void take_docker_config(std::string_view text) {
  may_refuse(Category::machine, [&] {
    const nlohmann::json config = parse_docker_config(std::string(text), "config.json");
    docker_text(config, "credsStore");
    // Who names helpers has their programs run.
    if (!docker_member(config, "credHelpers").is_null() || !docker_member(config, "credsStore").is_null()) return;
    CredentialEnvironment environment;
    environment.docker_auth_config = text;
    const CredentialStore store(environment, CancelToken());
    for (const char* registry : {"docker.io", "registry.example", "a:5000"}) {
      if (const auto found = store.find(registry, "acme/app"))
        require(!found->source.empty(), "credentials from nowhere");
    }
  });
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  if (input[0] == 'r') return take_registries_conf(text);
  if (input[0] == 'd') return take_docker_config(text);
  may_refuse(Category::machine, [&] { docker_text(parse_helper_answer(std::string(text), "helper"), "Username"); });
}

std::vector<std::string> seeds() {
  return {
      "r[[registry]]\nprefix = \"*.example.com\"\nlocation = 'mirror.example/x'\ninsecure = true\nblocked = false\n"
      "mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'm.example:5000/y'\ninsecure = true\n"
      "pull-from-mirror = 'digest-only'\n",
      "runqualified-search-registries = ['docker.io']\n[aliases]\na = 'b/c'\n[[registry]]\nlocation = 'docker.io'\n"
      "[[registry.mirror]]\nlocation = \"hub.mirror\"\n",
      "r[registries.search]\nregistries = ['x']\n",
      R"(d{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"registry.example/acme":{"username":"u","password":"p"}}})",
      R"(d{"auths":{"a:5000":{"identitytoken":"t"},"registry.example":{"registrytoken":"r"}},"HttpHeaders":{"X":"y"}})",
      R"(d{"credHelpers":{"a":"b"},"credsStore":"c"})",
      R"(h{"ServerURL":"x","Username":"<token>","Secret":"s"})"};
}

std::vector<std::string> words() {
  return {"[[registry]]\n",
          "[[registry.mirror]]\n",
          "location = ",
          "prefix = ",
          "\"*.",
          "insecure = true\n",
          "blocked = true\n",
          "mirror-by-digest-only = ",
          "pull-from-mirror = \"tag-only\"\n",
          "'''",
          "\"\"\"",
          "{",
          "}",
          "[",
          "]",
          "\\u0000",
          "1979-05-27T07:32:00Z",
          "inf",
          "0x",
          "= {a.b = 1}",
          "{\"auths\":{",
          "\"auth\":\"",
          "dTpw",
          "Og==",
          "\"identitytoken\":",
          "null",
          "\"AUTHS\"",
          "https://index.docker.io/v1/",
          "\"username\":",
          "registry.example"};
}

}  // namespace kiln::fuzz
