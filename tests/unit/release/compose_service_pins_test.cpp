#include "builder/release/compose_service_pins.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

// Knows every image of ghcr.io/acme, each by a digest of its name and tag.
std::optional<oci::Digest> digest_of_acme(const oci::Reference& reference) {
  return reference.name().starts_with("ghcr.io/acme/") ? std::optional(oci::sha256_of(reference.str())) : std::nullopt;
}

std::string pinned_name(const std::string& name) { return name + "@" + oci::sha256_of(name).str(); }

ServicePins pins_of(const std::vector<std::string>& texts, const std::map<std::string, std::string>& environment = {}) {
  std::vector<compose::ComposeFile> files;
  for (const std::string& text : texts)
    files.push_back(compose::parse_compose_file(std::to_string(files.size()) + ".yaml", text));
  const compose::Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  return pin_services(files, {"/nowhere", lookup, {}}, digest_of_acme, "compose.yaml in the release 'v1'");
}

}  // namespace

TEST_CASE("variables, anchors, merge keys and extends have done their work before a service is pinned") {
  const ServicePins pins = pins_of({"x-base: &base {image: 'ghcr.io/acme/base:2', tty: true}\n"
                                    "x-name: &name ghcr.io/acme/named:3\n"
                                    "services:\n"
                                    "  app: {image: 'ghcr.io/acme/app:${TAG:-stable}'}\n"
                                    "  merged: {<<: *base}\n"
                                    "  aliased: {image: *name}\n"
                                    "  extending: {extends: {service: app}, command: x}\n"
                                    "  folded:\n    image: >-\n      ghcr.io/acme/folded:1\n"
                                    "  db: {image: 'postgres:${PG:-16}'}\n"
                                    "  built: {build: .}\n"},
                                   {{"TAG", "7"}});
  CHECK(pins.text ==
        "# Written by 'kiln compose pin': compose.yaml in the release 'v1'\n"
        "services:\n"
        "  app:\n    image: \"" +
            pinned_name("ghcr.io/acme/app:7") +
            "\"\n"
            "  merged:\n    image: \"" +
            pinned_name("ghcr.io/acme/base:2") +
            "\"\n"
            "  aliased:\n    image: \"" +
            pinned_name("ghcr.io/acme/named:3") +
            "\"\n"
            "  extending:\n    image: \"" +
            pinned_name("ghcr.io/acme/app:7") +
            "\"\n"
            "  folded:\n    image: \"" +
            pinned_name("ghcr.io/acme/folded:1") + "\"\n");
  CHECK(is_service_pins(pins.text));
  REQUIRE(pins.services.size() == 6);
  CHECK(pins.services[5].before == "postgres:16");
  CHECK(pins.services[5].outcome == PinnedService::Outcome::unknown);
  CHECK(pins.unset.empty());
}

TEST_CASE("a digest that stands in the file is replaced, and a later file's image counts") {
  const std::string old_digest = "@sha256:" + std::string(64, '0');
  const ServicePins pins = pins_of({"services: {a: {image: 'ghcr.io/acme/a:1" + old_digest + "'}, b: {image: nginx}}",
                                    "services: {b: {image: 'ghcr.io/acme/b:2'}}"});
  REQUIRE(pins.services.size() == 2);
  CHECK(pins.services[0].after == pinned_name("ghcr.io/acme/a:1"));
  CHECK(pins.services[1].after == pinned_name("ghcr.io/acme/b:2"));
}

TEST_CASE("an image without a tag is pinned as what Compose takes it for") {
  const std::string old_digest = "@sha256:" + std::string(64, '0');
  const ServicePins pins =
      pins_of({"services: {a: {image: ghcr.io/acme/a}, b: {image: 'ghcr.io/acme/b" + old_digest + "'}}"});
  REQUIRE(pins.services.size() == 2);
  CHECK(pins.services[0].before == "ghcr.io/acme/a");
  CHECK(pins.services[0].after == pinned_name("ghcr.io/acme/a:latest"));
  CHECK(pins.services[1].after.starts_with("ghcr.io/acme/b@sha256:"));
}

TEST_CASE("variables that are not set and have no default are named, and an image that they break is not pinned") {
  const ServicePins pins = pins_of(
      {"services: {a: {image: 'ghcr.io/acme/a:${TAG}', command: '$WORD ${OTHER:-x} ${MORE+y} $$NONE'}, b: {image: "
       "'ghcr.io/acme/b'}}"});
  CHECK(pins.unset == std::set<std::string>{"TAG", "WORD"});
  REQUIRE(pins.services.size() == 2);
  CHECK(pins.services[0].outcome == PinnedService::Outcome::unpinned);
  CHECK_FALSE(pins.services[0].reason.empty());
  CHECK(pins.services[1].outcome == PinnedService::Outcome::pinned);
  CHECK(error_of([] { pins_of({"services:\n  a:\n    image: ghcr.io/acme/a:${TAG:?which}\n"}); }) ==
        "usage: 0.yaml:3:12: the variable 'TAG' is needed: which");
}

TEST_CASE("names that YAML reads as something else are quoted, and nothing to pin is a file that changes nothing") {
  const std::string text = pins_of({"services: {'1': {image: ghcr.io/acme/a}, 'on': {image: ghcr.io/acme/a}, a.b: "
                                    "{image: ghcr.io/acme/a}, a-b_1: {image: ghcr.io/acme/a}}"})
                               .text;
  for (const char* key : {"  \"1\":\n", "  \"on\":\n", "  \"a.b\":\n", "  a-b_1:\n"}) {
    CAPTURE(key);
    CHECK(text.find(key) != std::string::npos);
  }
  CHECK(pins_of({"services: {a: {image: nginx}}"}).text.ends_with("\nservices: {}\n"));
  CHECK(error_of([] { pins_of({"volumes: {}"}); }) == "usage: '0.yaml' has no services");
}

TEST_CASE("the override file that Compose reads by itself is found beside a file with a name that it reads by itself") {
  const TempDir folder;
  for (const char* name : {"compose.override.yaml", "docker-compose.override.yml"})
    std::ofstream(folder.path() / name) << "{}";
  CHECK(compose::automatic_override(folder.path() / "docker-compose.yml") == folder.path() / "compose.override.yaml");
  CHECK_FALSE(compose::automatic_override(folder.path() / "compose.prod.yaml"));
  fs::remove(folder.path() / "compose.override.yaml");
  CHECK(compose::automatic_override(folder.path() / "compose.yaml") == folder.path() / "docker-compose.override.yml");
}
